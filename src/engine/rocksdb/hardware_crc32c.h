// CRC32C by the processor's instruction, for RocksDB.
//
// Purpose:       RocksDB checks every record of its log with CRC32C. Packaged builds compute it by tables, since they
//                are made for processors without SSE 4.2: 28 % of the CPU of an upload whose bytes went through the log
//                (docs/decisions/large-values.md). Its function is a dynamic symbol, so one of the program's own takes
//                its place.
// Ownership:     nothing.
// Thread safety: pure functions.
// Invariants:    CRC-32 of Castagnoli's polynomial, as RFC 3720 has it: "123456789" is 0xE3069283. The sums are the
//                library's own, so that it does not matter for correctness which of the two is called. Where the
//                library calls its own directly (linked with -Bsymbolic, as on Ubuntu, or statically) or has no such
//                function, ours is never called and nothing else changes: the symbol is weak, so it cannot clash.
#pragma once

#include <cstddef>
#include <cstdint>

namespace strata::kv {

// The same as rocksdb::crc32c::Extend.
uint32_t extend_crc32c(uint32_t crc, const char* bytes, size_t size);

// Whether RocksDB has called ours since the program began. Who opens a store calls it, so that the linker takes this
// file into the program.
bool library_uses_hardware_crc32c();

}  // namespace strata::kv
