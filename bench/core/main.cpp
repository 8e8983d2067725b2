// bench_core: what the transactional core costs over the RocksDB below it, on this machine.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <string>

#include "core/harness.h"

int main(int argc, char** argv) {
  strata::bench::Settings settings;
  // Durable figures need a disk: the system's temporary directory may be memory.
  settings.directory = "/var/tmp";
  std::string only;
  CLI::App app("Commits and reads through kv::Transaction beside raw RocksDB");
  app.add_option("--directory", settings.directory, "where the stores are made")->capture_default_str();
  app.add_option("--rounds", settings.rounds, "runs of each side")->capture_default_str();
  app.add_option("--seconds", settings.seconds, "of each run")->capture_default_str();
  app.add_option("--clients", settings.clients, "threads that commit")->capture_default_str();
  app.add_option("--rows", settings.rows, "rows that are read")->capture_default_str();
  app.add_option("--only", only, "commits or reads");
  CLI11_PARSE(app, argc, argv);
  settings.directory /= "strata-bench-core-" + std::to_string(getpid());
  std::filesystem::create_directories(settings.directory);
  bool good = true;
  if (only.empty() || only == "commits") good = strata::bench::bench_commits(settings) && good;
  if (only.empty() || only == "reads") good = strata::bench::bench_reads(settings) && good;
  std::filesystem::remove_all(settings.directory);
  return good ? 0 : 1;
}
