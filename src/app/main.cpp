// strata: see `strata --help`.

#include <fmt/format.h>
#include <malloc.h>
#include <sys/resource.h>

#include <cstdio>

#include "app/check.h"
#include "app/command_line.h"
#include "app/file_commands.h"
#include "app/restore.h"
#include "app/start.h"
#include "app/stress.h"

namespace {

using namespace strata::app;

// The usual soft limit of 1,024 is a tenth of max-connections, and 60 GB of tables, each of which is open.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

Exit run(const Command& command) {
  if (const auto* start = std::get_if<StartCommand>(&command)) return run_start(*start);
  if (const auto* check = std::get_if<CheckCommand>(&command)) return run_check(*check);
  if (const auto* restore = std::get_if<RestoreCommand>(&command)) return run_restore(*restore);
  if (const auto* files = std::get_if<ExportCommand>(&command)) return run_export(*files);
  if (const auto* files = std::get_if<DiffCommand>(&command)) return run_diff(*files);
  if (const auto* files = std::get_if<ImportCommand>(&command)) return run_import(*files);
  if (const auto* files = std::get_if<PromoteCommand>(&command)) return run_promote(*files);
  if (const auto* files = std::get_if<CollectCommand>(&command)) return run_collect(*files);
  if (const auto* stress = std::get_if<StressCommand>(&command)) return run_stress(*stress);
  if (const auto* print = std::get_if<PrintCommand>(&command)) {
    fmt::print(print->exit == Exit::ok ? stdout : stderr, "{}", print->text);
    return print->exit;
  }
  fmt::print("{}\n", version_text());
  return Exit::ok;
}

}  // namespace

int main(int argc, char** argv) {
  // Buffers of files and bodies go back to the system when they are freed. Left alone, glibc raises the threshold to
  // the largest of them that it has seen, and keeps what many threads have freed: an upload of 3 GB then left 65 MiB.
  // Setting the one freezes the other at 128 KiB, which would give back and take again at each request.
  mallopt(M_MMAP_THRESHOLD, 256 << 10);
  mallopt(M_TRIM_THRESHOLD, 1 << 20);
  raise_descriptor_limit();
  return static_cast<int>(run(parse_command_line(std::vector<std::string>(argv + 1, argv + argc))));
}
