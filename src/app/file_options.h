// The subcommands of versioned files: export, diff, import, promote, gc and stress.
//
// Purpose:       their options, and what was given.
// Ownership:     the CLI::App that they are added to outlives them.
// Thread safety: one thread.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "app/command_line.h"

namespace strata::app {

class FileOptions {
 public:
  FileOptions(CLI::App& program, const std::string& footer);

  // nullopt: none of these was asked for.
  std::optional<Command> command() const;

 private:
  CLI::App* add(const std::string& name, const std::string& description, const std::string& footer,
                std::string* database);
  void add_stress(CLI::App& program, const std::string& footer);
  Command stress_command() const;

  CLI::App* export_ = nullptr;
  CLI::App* diff_ = nullptr;
  CLI::App* import_ = nullptr;
  CLI::App* promote_ = nullptr;
  CLI::App* gc_ = nullptr;
  CLI::App* stress_ = nullptr;
  CLI::App& program_;

  ExportCommand export_command_;
  DiffCommand diff_command_;
  ImportCommand import_command_;
  PromoteCommand promote_command_;
  CollectCommand collect_command_;
  std::string target_ = "http://127.0.0.1:8080";
  std::string api_key_;
  size_t concurrency_ = 10;
  std::string duration_ = "10s";
  std::string operation_ = "mixed";
  std::string file_size_ = "1kb";
  std::string path_prefix_ = "/stress-test";
};

// "500ms", "30s", "5m", "1h"; a number alone is seconds. nullopt: none of these, 0, or more than a day.
std::optional<int64_t> parse_duration_ms(std::string_view text);
// "512b", "1kb", "1mb"; a number alone is bytes. nullopt: none of these, or more than 1 GiB.
std::optional<size_t> parse_file_size(std::string_view text);

}  // namespace strata::app
