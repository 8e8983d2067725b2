"""Makes of a killed server's files what a power cut might have left; see power_loss/power_loss.cpp."""

import struct

PAGE = 4_096


def unsynced_changes(content):
    """(offset, size before, old bytes) of each change since the last sync, oldest first."""
    at = 0
    while at + 24 <= len(content):
        offset, size_before, old_bytes = struct.unpack_from("=QQQ", content, at)
        at += 24
        if at + old_bytes > len(content):
            return  # killed while it was written: the change that it would undo was not made
        yield offset, size_before, content[at:at + old_bytes]
        at += old_bytes


def synced_image(image, changes):
    image = bytearray(image)
    for offset, size_before, old in reversed(changes):
        image[offset:offset + len(old)] = old
        del image[size_before:]
        image.extend(bytes(size_before - len(image)))
    return image


def mixed_image(now, synced, keep):
    """Each page that changed since the sync is the new or the old one, as keep() says for it; a page that was never
    synced and is not kept reads as zeros where a later one is kept, and the file ends before it where none is."""
    image = bytearray(synced)
    for begin in range(0, len(now), PAGE):
        page = now[begin:begin + PAGE]
        if page != synced[begin:begin + PAGE] and keep():
            image.extend(bytes(max(0, begin + len(page) - len(image))))
            image[begin:begin + len(page)] = page
    return image


def cut_power(data, undo, random):
    """How many files changed. A third of the cuts lose all that was not synced, the others keep pages of it by chance."""
    changed = 0
    chance = 0.0 if random.random() < 1 / 3 else random.random()
    paths = {path.stat().st_ino: path for path in data.rglob("*") if path.is_file()}
    for log in sorted(undo.glob("*.undo")):
        path, changes = paths.get(int(log.stem)), list(unsynced_changes(log.read_bytes()))
        if path and changes:
            now = path.read_bytes()
            path.write_bytes(mixed_image(now, synced_image(now, changes), lambda: random.random() < chance))
            changed += 1
        log.unlink()
    return changed
