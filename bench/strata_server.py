"""A strata server that a benchmark starts on a free port and stops, and the CPU time that it takes."""
import os
import pathlib
import signal
import subprocess
import sys

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def stat_ticks(process, children):
    try:
        fields = pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0
    return sum(int(ticks) for ticks in fields[11:15 if children else 13])


class StrataServer:
    def __init__(self, binary, directory, arguments=(), log=subprocess.DEVNULL):
        self.process = subprocess.Popen([binary, "start", "--database", directory, "--port", "0", *arguments],
                                        stdout=subprocess.PIPE, stderr=log, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("strata ready http="):
            sys.exit("strata did not start")
        self.port = int(line.split()[2].rsplit(":", 1)[1])

    def cpu_s(self):
        return stat_ticks(self.process.pid, False) / TICKS_PER_S

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
