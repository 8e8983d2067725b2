#include "app/file_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/parse_number.h"
#include "service/leader_client.h"

namespace strata::app {
namespace {

constexpr size_t max_file_bytes = 1u << 30;
constexpr int64_t max_duration_ms = 24 * 3'600 * 1'000;
constexpr size_t max_concurrency = 1'000;

// A number and one of some units, in letters of either case. nullopt: something else, or it does not fit.
struct Unit {
  std::string_view name;
  uint64_t factor;
};
template <size_t count>
std::optional<uint64_t> parse_with_unit(std::string_view text, const Unit (&units)[count]) {
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = parse_number<uint64_t>(text.substr(0, digits));
  std::string unit(text.substr(digits));
  for (char& c : unit) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const Unit& known : units) {
    if (known.name != unit) continue;
    if (!number || *number > UINT64_MAX / known.factor) return std::nullopt;
    return *number * known.factor;
  }
  return std::nullopt;
}

CLI::Option* add_text(CLI::App* app, const char* name, std::string& value, const char* placeholder, const char* help) {
  return app->add_option(name, value, help)->type_name(placeholder)->expected(1);
}

PrintCommand refuse(std::string why) { return PrintCommand{fmt::format("strata: {}\n", why), Exit::usage}; }

}  // namespace

std::optional<int64_t> parse_duration_ms(std::string_view text) {
  static constexpr Unit units[] = {{"", 1'000}, {"s", 1'000}, {"ms", 1}, {"m", 60'000}, {"h", 3'600'000}};
  const auto ms = parse_with_unit(text, units);
  if (!ms || *ms == 0 || *ms > static_cast<uint64_t>(max_duration_ms)) return std::nullopt;
  return static_cast<int64_t>(*ms);
}

std::optional<size_t> parse_file_size(std::string_view text) {
  static constexpr Unit units[] = {{"", 1}, {"b", 1}, {"kb", 1u << 10}, {"mb", 1u << 20}, {"gb", 1u << 30}};
  const auto bytes = parse_with_unit(text, units);
  if (!bytes || *bytes > max_file_bytes) return std::nullopt;
  return *bytes;
}

FileOptions::FileOptions(CLI::App& program, const std::string& footer) : program_(program) {
  export_ = add("export", "Write a version of the files to an .aeordb archive", footer, &export_command_.database);
  add_text(export_, "-o,--output", export_command_.output, "FILE", "Archive to make; must not exist")->required();
  CLI::Option* snapshot =
      add_text(export_, "-s,--snapshot", export_command_.snapshot, "NAME", "Snapshot to export [HEAD]");
  add_text(export_, "--hash", export_command_.hash, "HASH", "Version to export, in hexadecimal digits [HEAD]")
      ->excludes(snapshot);

  diff_ = add("diff", "Write what changed between two versions to an .aeordb patch", footer, &diff_command_.database);
  add_text(diff_, "-o,--output", diff_command_.output, "FILE", "Patch to make; must not exist")->required();
  add_text(diff_, "--from", diff_command_.from, "VERSION", "Snapshot or version hash to begin with")->required();
  add_text(diff_, "--to", diff_command_.to, "VERSION", "Snapshot or version hash to lead to [HEAD]");

  import_ = add("import", "Add the version of an .aeordb archive or patch, or a directory's files to HEAD", footer,
                &import_command_.database);
  CLI::Option* file = add_text(import_, "-f,--file", import_command_.file, "FILE", "Archive or patch to read");
  CLI::Option* directory =
      add_text(import_, "--directory", import_command_.directory, "DIR",
               "Put what is in this directory into HEAD; what has not changed since the last time is not read again");
  add_text(import_, "--path", import_command_.path, "PATH", "Where it comes [/]")->needs(directory);
  import_->add_flag("--force", import_command_.force, "Apply a patch although HEAD is not what it was made from")
      ->needs(file);
  import_->add_flag("--promote", import_command_.promote, "HEAD becomes the version")->needs(file);
  file->excludes(directory);
  import_->callback([file, directory] {
    if (!*file && !*directory) throw CLI::RequiredError("--file or --directory");
  });

  promote_ = add("promote", "Make a version HEAD", footer, &promote_command_.database);
  add_text(promote_, "--hash", promote_command_.hash, "HASH", "The version, in hexadecimal digits")->required();

  gc_ = add("gc", "Remove what no version of the files needs any more", footer, &collect_command_.database);
  gc_->add_flag("--dry-run", collect_command_.dry_run, "Tell what would go, changing nothing");

  add_stress(program, footer);
}

CLI::App* FileOptions::add(const std::string& name, const std::string& description, const std::string& footer,
                           std::string* database) {
  CLI::App* app = program_.add_subcommand(name, description);
  app->footer(footer);
  add_text(app, "-D,--database,--data-dir", *database, "PATH",
           "Data directory that no server has open, or an exported file [STRATA_DATABASE, or strata-data]");
  return app;
}

void FileOptions::add_stress(CLI::App& program, const std::string& footer) {
  stress_ = program.add_subcommand("stress", "Put load on a running server's files, and tell how it did");
  stress_->footer(footer);
  add_text(stress_, "-t,--target", target_, "URL", "Server [http://127.0.0.1:8080]");
  add_text(stress_, "-a,--api-key", api_key_, "KEY", "Where the server asks for one");
  stress_->add_option("-c,--concurrency", concurrency_, "Connections, each with one request under way [10]")
      ->type_name("N")
      ->check(CLI::Range(size_t{1}, max_concurrency).description(""));
  add_text(stress_, "-d,--duration", duration_, "TIME", "For how long: 500ms, 30s, 5m, 1h [10s]");
  add_text(stress_, "-o,--operation", operation_, "WHAT", "write, read, or mixed: half of each [mixed]");
  add_text(stress_, "-s,--file-size", file_size_, "SIZE", "Of the files: 512b, 1kb, 1mb [1kb]");
  add_text(stress_, "-p,--path-prefix", path_prefix_, "PATH", "Directory to put them in; they stay [/stress-test]");
}

Command FileOptions::stress_command() const {
  StressCommand command;
  service::StressOptions& options = command.options;
  options.target = target_;
  if (const auto valid = service::validate_leader_url(target_); !valid.ok()) {
    return refuse(fmt::format("--target: {}", valid.error().message()));
  }
  if (api_key_.find_first_of("\r\n") != std::string::npos) return refuse("--api-key is more than one line");
  options.api_key = api_key_;
  options.concurrency = concurrency_;
  const auto duration = parse_duration_ms(duration_);
  if (!duration) return refuse(fmt::format("--duration {} is not a time such as 500ms, 30s or 5m", duration_));
  options.duration_ms = *duration;
  if (operation_ == "write") {
    options.operation = service::StressOperation::write;
  } else if (operation_ == "read") {
    options.operation = service::StressOperation::read;
  } else if (operation_ != "mixed") {
    return refuse(fmt::format("--operation {} is none of write, read and mixed", operation_));
  }
  const auto size = parse_file_size(file_size_);
  if (!size) return refuse(fmt::format("--file-size {} is not a size such as 512b, 1kb or 1mb", file_size_));
  options.file_bytes = *size;
  if (!path_prefix_.starts_with('/')) return refuse("--path-prefix does not begin with a slash");
  options.path_prefix = path_prefix_;
  while (options.path_prefix.ends_with('/')) options.path_prefix.pop_back();
  return command;
}

std::optional<Command> FileOptions::command() const {
  if (export_->parsed()) return export_command_;
  if (diff_->parsed()) return diff_command_;
  if (import_->parsed()) return import_command_;
  if (promote_->parsed()) return promote_command_;
  if (gc_->parsed()) return collect_command_;
  if (stress_->parsed()) return stress_command();
  return std::nullopt;
}

}  // namespace strata::app
