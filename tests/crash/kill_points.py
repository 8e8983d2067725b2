"""The named points at which disk_faults/disk_faults.cpp ends the server."""

# Name -> (call, when, name of the file, how many such calls a short life has, roughly).
POINTS = {
    "before a log record is written": ("write", "before", ".log", 200),
    "when half of a log record is written": ("write", "half", ".log", 200),
    "after a log record is written, before its sync": ("write", "after", ".log", 200),
    "before a log's sync": ("sync", "before", ".log", 200),
    "after a log's sync, before it is published": ("sync", "after", ".log", 200),
    "while a log is written ahead": ("fill", "half", ".log", 30),
    "after a log was written ahead, before that is synced": ("fill", "after", ".log", 30),
    "when the filler of a log is cut off": ("truncate", "after", ".log", 4),
    "while a memtable is flushed": ("write", "half", ".sst", 6),
    "while a large value is written": ("write", "half", ".values", 40),
    "after the sync of large values, before the log has their references": ("sync", "after", ".values", 40),
    "after a table's sync": ("sync", "after", ".sst", 3),
    "while the manifest is written": ("write", "half", "MANIFEST-", 5),
    "after the manifest is written, before its sync": ("write", "after", "MANIFEST-", 5),
    "after the manifest's sync, before that is noted": ("sync", "after", "MANIFEST-", 5),
    "while the manifest's note is written": ("write", "half", "STRATA-MANIFEST", 4),
    "after the manifest's note is synced": ("sync", "after", "STRATA-MANIFEST", 4),
    "before CURRENT names another manifest": ("rename", "before", "CURRENT", 1),
    "after CURRENT names another manifest": ("rename", "after", "CURRENT", 1),
    "while an old log is removed": ("unlink", "after", ".log", 3),
    "while an old table is removed": ("unlink", "after", ".sst", 3),
    "while a dead file of large values is removed": ("unlink", "after", ".values", 2),
    "while the store's format is written": ("write", "half", "STRATA-FORMAT", 1),
    "after the store's format has its name": ("rename", "after", "STRATA-FORMAT", 1),
    "while an image's graph is written": ("write", "half", ".index", 6),
    "after an image's graph is synced": ("sync", "after", ".index", 2),
    "while an image's rest is written": ("write", "half", ".view", 2),
    "before an image's rest is synced": ("sync", "before", ".view", 2),
    "after an image's rest is synced, before it has its name": ("sync", "after", ".view", 2),
}


def draw(random):
    """(name, STRATA_KILL_AT): often a call among the first, of a start or a recovery; else one of the load's."""
    name = random.choice(sorted(POINTS))
    call, when, file, many = POINTS[name]
    number = random.randint(1, 2) if random.random() < 0.3 else random.randint(1, many)
    return name, "%s %s %d %s" % (call, when, number, file)
