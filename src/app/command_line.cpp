#include "app/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "app/file_options.h"

namespace strata::app {
namespace {

constexpr const char* description =
    "Strata: key-value, rows and more on one transactional core, in one server over HTTP.";
constexpr const char* exit_codes =
    "Exit codes:\n"
    "  0  ended as asked: SIGTERM or SIGINT, nothing acknowledged is lost\n"
    "  1  failed while running\n"
    "  2  an option, variable or configuration file that is not understood, or not allowed\n"
    "  3  the data directory is in use, of another kind, or cannot be opened\n"
    "  4  check, restore or import found damage\n"
    "  5  the address or port is not to be had\n"
    "  128 + N  signal N ended stress ahead of its time, or was a second one, which ends at once";
constexpr const char* sources_text =
    "Every option can also be given as an environment variable (--grpc-port: STRATA_GRPC_PORT, lists separated by\n"
    "commas) or as a key of the configuration file (grpc-port = 50051). A flag counts before the environment, that\n"
    "before the file, that before the default.\n"
    "\n"
    "Static keys (docs/http.md: how they are sent) are set by STRATA_API_KEYS (or SWARNDB_API_KEYS), separated by\n"
    "commas, or by api-keys in the file; never by a flag, which every user of the machine could read. Without keys\n"
    "every caller may do everything, and the server listens on loopback alone unless --insecure is given.\n"
    "\n"
    "When it serves, the line `strata ready http=ADDRESS:PORT grpc=ADDRESS:PORT` is written to standard output.\n"
    "SIGTERM and SIGINT finish the requests in flight and end; a second one ends at once.\n"
    "\n";

// CLI11's own, but for descriptions behind one column and no "REQUIRED"/"x N" noise.
class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter() { column_width(38); }
  std::string make_option_opts(const CLI::Option* option) const override {
    const std::string name = option->get_type_name();
    return name.empty() ? "" : " " + name;
  }
};

void add_rows(CLI::App& start) {
  for (const OptionRow& row : option_rows()) {
    if (row.kind == OptionKind::secret) continue;
    std::string names = fmt::format("--{}", row.name);
    if (row.short_name != 0) names = fmt::format("-{},{}", row.short_name, names);
    CLI::Option* option = nullptr;
    if (row.kind == OptionKind::flag) {
      option = start.add_flag(names)->description(std::string(row.help));
    } else {
      option = start.add_option(names);
      option->description(std::string(row.help))->type_name(std::string(row.placeholder))->expected(1);
    }
    if (row.kind == OptionKind::list) option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    option->group(std::string(row.group));
  }
}

constexpr const char* restore_text =
    "Reads a snapshot (POST btree/backup, GET snapshot), segments of the log behind it (POST wal/backup), or segments\n"
    "from the first one on, and makes the namespace what it was at the end of them, or at --to. No server may have "
    "the\n"
    "directory open. All or nothing: a restore that fails, or is killed, leaves the namespace as it was.\n"
    "\n";

// The options of `restore`, and what was given.
class RestoreOptions {
 public:
  explicit RestoreOptions(CLI::App& program)
      : app_(program.add_subcommand("restore", "Restore a namespace from backups")) {
    app_->footer(std::string(restore_text) + exit_codes);
    add("-D,--database", command_.database, "DIR",
        "Data directory, created where missing [STRATA_DATABASE, or strata-data]");
    add("--namespace", command_.request.name_space, "NAME", "Namespace to restore")->required();
    add("--source", command_.request.source, "NAME", "Its name when the backups were made [the same]");
    add("--snapshot", command_.request.snapshot, "FILE", "Snapshot to begin with");
    app_->add_option("--wal", command_.request.segments, "Segments: a file, or a directory of *.wal; repeatable")
        ->type_name("PATH")
        ->allow_extra_args(false);
    add("--to", target_, "SEGMENT:OFFSET", "Stop behind the record at this position of the log [the end]");
    app_->add_flag("--force", command_.request.replace, "Replace a namespace that holds data");
    app_->add_flag("--dry-run", command_.dry_run,
                   "Verify the backups, changing nothing; the data directory is not looked at");
  }

  bool parsed() const { return app_->parsed(); }

  Command command() {
    if (!target_.empty()) {
      command_.request.target = service::parse_restore_target(target_);
      if (!command_.request.target) return PrintCommand{"strata: --to is not SEGMENT:OFFSET\n", Exit::usage};
    }
    return command_;
  }

 private:
  CLI::Option* add(const char* name, std::string& value, const char* placeholder, const char* help) {
    return app_->add_option(name, value, help)->type_name(placeholder)->expected(1);
  }

  CLI::App* app_;
  RestoreCommand command_;
  std::string target_;
};

RawValues given_flags(const CLI::App& start) {
  RawValues flags;
  for (const OptionRow& row : option_rows()) {
    if (row.kind == OptionKind::secret) continue;
    const CLI::Option* option = start.get_option(fmt::format("--{}", row.name));
    if (option->count() > 0) flags[std::string(row.name)] = option->results();
  }
  return flags;
}

}  // namespace

std::string database_directory(const std::string& given) {
  if (!given.empty()) return given;
  const char* variable = std::getenv("STRATA_DATABASE");
  return variable != nullptr && *variable != '\0' ? variable : Settings().database;
}

std::string version_number() { return STRATA_VERSION; }

std::string version_text() { return fmt::format("strata {}", version_number()); }

Command parse_command_line(std::vector<std::string> arguments) {
  CLI::App program(description, "strata");
  program.formatter(std::make_shared<HelpFormatter>());
  program.footer(std::string("strata COMMAND --help says more.\n\n") + exit_codes);
  program.set_version_flag("--version", version_text());
  program.require_subcommand(1);

  CLI::App* start = program.add_subcommand("start", "Start the server");
  start->footer(std::string(sources_text) + exit_codes);
  CLI::Option* config = start->add_option("--config");
  config->description("Configuration file, TOML")->type_name("FILE")->expected(1);
  add_rows(*start);

  CLI::App* check =
      program.add_subcommand("check", "Verify a data directory that no server has open, changing nothing");
  check->footer(exit_codes);
  CLI::Option* database = check->add_option("-D,--database");
  database->description("Data directory [STRATA_DATABASE, or strata-data]")->type_name("DIR")->expected(1);

  RestoreOptions restore(program);
  const FileOptions files(program, exit_codes);

  CLI::App* version = program.add_subcommand("version", "Print the version");

  std::reverse(arguments.begin(), arguments.end());
  try {
    program.parse(arguments);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    const bool help = error.get_exit_code() == 0;
    program.exit(error, out, out);
    return PrintCommand{out.str(), help ? Exit::ok : Exit::usage};
  }
  if (version->parsed()) return VersionCommand{};
  if (restore.parsed()) return restore.command();
  if (auto command = files.command()) return *std::move(command);
  if (check->parsed()) return CheckCommand{database->count() > 0 ? database->results()[0] : ""};
  return StartCommand{given_flags(*start), config->count() > 0 ? config->results()[0] : ""};
}

}  // namespace strata::app
