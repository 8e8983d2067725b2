// A backup from an enemy. The first byte chooses: the file as it is, or frames, each a byte of type, two of length and
// its payload, which get the checksums that let the reader look inside.
#include <cstdint>

#include "layers/records/backup_file_test.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  strata::BytesView rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 2 == 0) {
    strata::BytesSource source(rest, 1 + data[0] / 2);
    strata::records::describe_backup(source);
    return 0;
  }
  strata::records::HandMadeBackup file;
  while (rest.size() >= 3) {
    const auto type = static_cast<uint8_t>(rest[0]);
    const size_t length = static_cast<uint8_t>(rest[1]) | static_cast<size_t>(static_cast<uint8_t>(rest[2])) << 8;
    rest.remove_prefix(3);
    const strata::BytesView payload = rest.substr(0, length);
    rest.remove_prefix(payload.size());
    if (type == static_cast<uint8_t>(strata::records::backup_format::Frame::footer)) {
      file.add_footer(payload);
    } else {
      file.add_frame(type, payload);
    }
  }
  strata::BytesSource source(file.bytes);
  strata::records::describe_backup(source);
  return 0;
}
