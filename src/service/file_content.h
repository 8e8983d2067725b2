// FileContent: how the bytes of a file become what a PutFile refers to.
//
// Purpose:       one way for all who put files: the first chunk is read; a file that is less travels with its commit,
//                a larger one is written ahead of it (FileStream).
// Ownership:     borrows the FileSystem and the source for as long as a call takes.
// Thread safety: one coroutine or thread at a time for each source.
#pragma once

#include <optional>

#include "base/byte_stream.h"
#include "service/file_operations.h"
#include "service/file_system.h"

namespace strata::service {

// The first chunk of the source; all of it where it is less. expected: how much there may be, a hint.
Result<Bytes> read_first(ByteSource& source, std::optional<uint64_t> expected);
// Fills in chunks, total_size, and small or session of `put`, whose content_type is there. Of an error nothing is left.
// payload_too_large: max_file_bytes.
Result<void> take_content(FileSystem& system, Bytes first, ByteSource& rest, PutFile& put);

}  // namespace strata::service
