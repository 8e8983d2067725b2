// strata: see `strata --help`.

#include <fmt/format.h>

#include <cstdio>

#include "app/check.h"
#include "app/command_line.h"
#include "app/restore.h"
#include "app/start.h"

namespace {

using namespace strata::app;

Exit run(const Command& command) {
  if (const auto* start = std::get_if<StartCommand>(&command)) return run_start(*start);
  if (const auto* check = std::get_if<CheckCommand>(&command)) return run_check(*check);
  if (const auto* restore = std::get_if<RestoreCommand>(&command)) return run_restore(*restore);
  if (const auto* print = std::get_if<PrintCommand>(&command)) {
    fmt::print(print->exit == Exit::ok ? stdout : stderr, "{}", print->text);
    return print->exit;
  }
  fmt::print("{}\n", version_text());
  return Exit::ok;
}

}  // namespace

int main(int argc, char** argv) {
  return static_cast<int>(run(parse_command_line(std::vector<std::string>(argv + 1, argv + argc))));
}
