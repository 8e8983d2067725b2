"""How much memory a process holds while something is done to it."""

import threading


def resident_bytes(pid):
    with open(f"/proc/{pid}/status") as status:
        (line,) = (line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


class Watch:
    """The most that a process held in memory while this was open."""

    def __init__(self, pid):
        self._pid = pid
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        while not self._done.wait(0.02):
            self.most = max(self.most, resident_bytes(self._pid))

    def __enter__(self):
        self.before = self.most = resident_bytes(self._pid)
        self._thread.start()
        return self

    def __exit__(self, *unused):
        self._done.set()
        self._thread.join()

    @property
    def growth(self):
        return self.most - self.before
