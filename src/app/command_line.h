// The command line of the program: subcommands, options, help.
//
// Purpose:       argv to one command; the options of `start` come from app/settings' table.
// Ownership:     values.
// Thread safety: pure function.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "app/settings.h"
#include "service/restore.h"
#include "service/stress.h"

namespace strata::app {

// What the program's exit tells; --help lists them.
enum class Exit : int {
  ok = 0,
  failed = 1,
  usage = 2,           // an option, variable or file that is not understood, or not allowed
  database = 3,        // the data directory is in use, foreign, or cannot be opened
  damaged = 4,         // check, restore or import found damage
  address_in_use = 5,  // the port is taken or the address is not ours
};

struct StartCommand {
  RawValues flags;
  std::string config_file;  // of --config; empty: STRATA_CONFIG's, or none
};
struct CheckCommand {
  std::string database;
};
struct RestoreCommand {
  std::string database;
  service::RestoreRequest request;
  bool dry_run = false;
};
// Of versioned files; what is empty was not given.
struct ExportCommand {
  std::string database;
  std::string output;
  std::string snapshot;
  std::string hash;
};
struct DiffCommand {
  std::string database;
  std::string output;
  std::string from;
  std::string to;
};
struct ImportCommand {
  std::string database;
  // One of the two is given.
  std::string file;
  std::string directory;
  // Where the directory's contents come.
  std::string path = "/";
  bool force = false;
  bool promote = false;
};
struct PromoteCommand {
  std::string database;
  std::string hash;
};
struct CollectCommand {
  std::string database;
  bool dry_run = false;
};
struct StressCommand {
  service::StressOptions options;
};
struct VersionCommand {};
// Nothing to do but print: help, or what was wrong.
struct PrintCommand {
  std::string text;
  Exit exit;
};
using Command = std::variant<StartCommand, CheckCommand, RestoreCommand, ExportCommand, DiffCommand, ImportCommand,
                             PromoteCommand, CollectCommand, StressCommand, VersionCommand, PrintCommand>;

Command parse_command_line(std::vector<std::string> arguments);

// Of --database, else STRATA_DATABASE, else the default.
std::string database_directory(const std::string& given);

std::string version_number();  // "0.1.0"
std::string version_text();    // "strata 0.1.0"

}  // namespace strata::app
