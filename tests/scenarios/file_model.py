"""What versioned files are, in plain Python: trees as dictionaries, versions as copies of them."""

import dataclasses

MAX_HOPS = 32


class Refused(Exception):
    """By the status that the server answers with."""

    def __init__(self, status):
        super().__init__(status)
        self.status = status


@dataclasses.dataclass(frozen=True)
class File:
    body: bytes
    content_type: str
    # None where it was not told.
    hash: str | None = None
    created_at: int | None = None
    updated_at: int | None = None


@dataclasses.dataclass(frozen=True)
class Link:
    target: str


DIRECTORY = "directory"


def parents(path):
    """Those of /a/b/c: /a, /a/b."""
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(2, len(parts))]


class Tree:
    """Paths without the root, each a File, a Link or DIRECTORY."""

    def __init__(self, entries=None):
        self.entries = dict(entries or {})

    def copy(self):
        return Tree(self.entries)

    def check_place(self, path):
        if self.entries.get(path) == DIRECTORY:
            raise Refused(409)
        for parent in parents(path):
            if self.entries.get(parent, DIRECTORY) != DIRECTORY:
                raise Refused(409)

    def put(self, path, entry):
        self.check_place(path)
        self.entries.update({parent: DIRECTORY for parent in parents(path)})
        self.entries[path] = entry

    def delete(self, path):
        if path not in self.entries or (self.entries[path] == DIRECTORY and self.children(path)):
            raise Refused(404)
        return self.entries.pop(path)

    def children(self, path):
        prefix = path.rstrip("/") + "/"
        return sorted((name for name in self.entries if name.startswith(prefix) and "/" not in name[len(prefix):]),
                      key=str.encode)

    def below(self, path):
        """Files and links in the order of a walk."""
        found = []
        for child in self.children(path):
            if self.entries[child] == DIRECTORY:
                found += self.below(child)
            else:
                found.append(child)
        return found

    def resolve(self, path, follow_last=True):
        """(canonical path, entry) with links followed; the root is a DIRECTORY."""
        hops = 0
        while True:
            place, rest = "", [part for part in path.split("/") if part]
            while rest:
                place = f"{place}/{rest.pop(0)}"
                entry = self.entries.get(place)
                if entry is None or (isinstance(entry, File) and rest):
                    raise Refused(404)
                if isinstance(entry, Link) and (rest or follow_last):
                    hops += 1
                    if hops > MAX_HOPS:
                        raise Refused(400)
                    path = "/".join([entry.target, *rest])
                    break
            else:
                return place or "/", self.entries.get(place, DIRECTORY)


class Store:
    """HEAD (the fork None), forks and snapshots, in the order in which they were made."""

    def __init__(self):
        self.trees = {None: Tree()}
        self.snapshots = {}

    def tree(self, fork):
        if fork not in self.trees:
            raise Refused(404)
        return self.trees[fork]

    def snapshot(self, name, fork=None):
        if name in self.snapshots:
            raise Refused(409)
        self.snapshots[name] = self.tree(fork).copy()

    def delete_snapshot(self, name):
        if self.snapshots.pop(name, None) is None:
            raise Refused(404)

    def at(self, name):
        if name not in self.snapshots:
            raise Refused(404)
        return self.snapshots[name]

    def restore(self, name, fork=None):
        self.tree(fork)
        self.trees[fork] = self.at(name).copy()

    def make_fork(self, name, base=None):
        if name in self.trees:
            raise Refused(409)
        self.trees[name] = (self.at(base) if base else self.trees[None]).copy()

    def promote(self, name):
        self.trees[None] = self.tree(name).copy()

    def abandon(self, name):
        self.tree(name)
        del self.trees[name]

    def restore_file(self, path, snapshot, fork=None):
        """What the path becomes; the safety snapshot is the caller's to note."""
        tree = self.tree(fork)
        entry = self.at(snapshot).entries.get(path)
        if entry is None or entry == DIRECTORY:
            raise Refused(404)
        tree.check_place(path)
        if isinstance(entry, File):
            entry = File(entry.body, entry.content_type)
        tree.put(path, entry)
        return entry

    def history(self, path):
        """[(snapshot, change)], the newest first; of paths that were files or nothing."""
        found, before = [], None
        for name, tree in self.snapshots.items():
            entry = tree.entries.get(path)
            entry = entry if isinstance(entry, File) else None
            if entry and not before:
                found.append((name, "added"))
            elif entry:
                found.append((name, "unchanged" if entry.body == before.body else "modified"))
            elif before:
                found.append((name, "deleted"))
            before = entry
        return found[::-1]
