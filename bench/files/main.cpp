// bench_files: versioned files in process. `import` is one side of run.py; the others measure what no peer has.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <optional>
#include <thread>

#include "base/random.h"
#include "core/harness.h"
#include "engine/rocksdb/rocksdb_engine.h"
#include "layers/files/tree_diff.h"
#include "service/directory_import.h"
#include "service/file_collector.h"
#include "service/file_operations.h"
#include "service/file_versions.h"
#include "service/file_writer.h"
#include "service/files.h"

namespace strata::bench {
namespace {

struct FileSettings {
  std::filesystem::path directory = "bench-files";
  std::filesystem::path source;
  // 0: the import's own choice.
  int threads = 0;
  int rounds = 5;
  size_t files = 1'000'000;
  size_t writers = 8;
  size_t bytes = size_t{1} << 30;
};

template <class T>
T must(Result<T> result) {
  if (!result.ok()) {
    fmt::print(stderr, "bench_files: {}\n", result.error().message());
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

struct Store {
  explicit Store(const std::filesystem::path& directory) : Store(kv::RocksdbOptions{.directory = directory}) {}
  explicit Store(kv::RocksdbOptions options)
      : engine(must(kv::RocksdbEngine::open(std::move(options)))), database(engine), system(database, {}) {}

  std::shared_ptr<kv::RocksdbEngine> engine;
  kv::Database database;
  service::FileSystem system;
  service::Files files{system};
  service::FileVersions versions{system};
  service::FileCollector collector{system};
};

// Deterministic noise, which nothing packs.
class Noise final : public ByteSource {
 public:
  Noise(uint64_t seed, size_t bytes) : random_(seed), left_(bytes) {}
  Result<size_t> read(std::span<char> into) override {
    const size_t count = std::min(into.size(), left_) & ~size_t{7};
    for (size_t at = 0; at < count; at += 8) {
      const uint64_t word = random_.next();
      std::memcpy(into.data() + at, &word, 8);
    }
    left_ -= count;
    return count;
  }

 private:
  Random random_;
  size_t left_;
};

void run_import(const FileSettings& settings) {
  const Stopwatch watch;
  Store store(kv::bulk_load_options(settings.directory));
  service::FileSystem quick(store.database, {.durability = kv::Durability::async});
  service::DirectoryImport import(quick,
                                  {.directory = settings.source, .threads = static_cast<size_t>(settings.threads)});
  const service::DirectoryImportReport done = must(import.run({}));
  must(store.versions.make_snapshot({}, {.name = fmt::format("import-{}", quick.now_ms())}));
  fmt::print("{{\"files\":{},\"unchanged\":{},\"failed\":{},\"bytes\":{},\"seconds\":{:.3f},\"cpu_seconds\":{:.3f}}}\n",
             done.files, done.unchanged, done.failed, done.bytes, watch.seconds(), cpu_seconds());
}

uint64_t directory_bytes(const std::filesystem::path& directory) {
  uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file()) bytes += entry.file_size();
  }
  return bytes;
}

// Of the whole process, what the engine does in the background included; noise is made outside of the clock.
void run_large(const FileSettings& settings) {
  std::vector<double> ingest;
  std::vector<double> ingest_wall;
  std::vector<double> read;
  double making = 0;
  {
    const double before = cpu_seconds();
    Noise noise(1, settings.bytes);
    Bytes buffer(1 << 18, '\0');
    while (must(noise.read(buffer)) != 0) {
    }
    making = cpu_seconds() - before;
  }
  std::optional<Store> store(std::in_place, settings.directory);
  for (int round = 0; round < settings.rounds; ++round) {
    double before = cpu_seconds();
    const Stopwatch watch;
    Noise noise(static_cast<uint64_t>(round) + 1, settings.bytes);
    must(store->files.put({}, {.path = "/large", .content_type = "application/octet-stream", .body = &noise}));
    ingest.push_back(static_cast<double>(settings.bytes) / 1e9 / (cpu_seconds() - before - making));
    ingest_wall.push_back(static_cast<double>(settings.bytes) / 1e9 / watch.seconds());
    const auto read_all = [&] {
      const auto opened = must(store->files.open({}, {.path = "/large"}));
      while (!must(opened.reader->next()).empty()) {
      }
    };
    read_all();
    before = thread_cpu_seconds();
    read_all();
    read.push_back(static_cast<double>(settings.bytes) / 1e9 / (thread_cpu_seconds() - before));
  }
  // Nothing of a round is in another.
  store.reset();
  const double unique = static_cast<double>(settings.bytes) * settings.rounds;
  const double stored = static_cast<double>(directory_bytes(settings.directory)) / unique;
  const Figures in = figures_of(ingest);
  const Figures wall = figures_of(ingest_wall);
  const Figures out = figures_of(read);
  fmt::print("large file, ingest: {:.2f} GB a CPU second ({:.2f}-{:.2f}), {:.2f} GB/s ({:.2f}-{:.2f}); ", in.median,
             in.lowest, in.highest, wall.median, wall.lowest, wall.highest);
  fmt::print("hot read: {:.2f} GB a CPU second of its thread ({:.2f}-{:.2f}); ", out.median, out.lowest, out.highest);
  fmt::print("stored: {:.3f} x unique bytes\n", stored);
}

std::string name_of(size_t i) { return fmt::format("/d{:03}/f{:07}", i / 1'000, i); }

void fill(Store& store, size_t first, size_t last, std::string_view salt) {
  constexpr size_t group = 1'000;
  for (size_t begin = first; begin < last; begin += group) {
    std::vector<service::PutFile> puts(std::min(last, begin + group) - begin);
    std::vector<service::FileOperation*> all;
    for (size_t i = 0; i < puts.size(); ++i) {
      Bytes bytes = fmt::format("{} {}", salt, begin + i);
      puts[i].path = name_of(begin + i);
      puts[i].content_type = "text/plain";
      puts[i].total_size = bytes.size();
      puts[i].small = service::ChunkPacker(puts[i].content_type).make(std::move(bytes));
      puts[i].chunks = {puts[i].small->hash};
      all.push_back(&puts[i]);
    }
    must(store.system.writer(files::head)->submit({}, all));
  }
}

double seconds_of_snapshot(Store& store, const std::string& name) {
  const Stopwatch watch;
  must(store.versions.make_snapshot({}, {.name = name}));
  return watch.seconds();
}

// In turns, so that both meet the same disk and the same compactions: one alone takes a tenth of a millisecond.
void snapshots(Store& few, Store& many, const FileSettings& settings) {
  constexpr int a_round = 50;
  std::vector<double> few_ms;
  std::vector<double> many_ms;
  std::vector<double> ratios;
  for (int round = 0; round < settings.rounds; ++round) {
    std::vector<double> of_few;
    std::vector<double> of_many;
    for (int i = 0; i < a_round; ++i) {
      const std::string name = fmt::format("s-{}-{}", round, i);
      of_few.push_back(1e3 * seconds_of_snapshot(few, name));
      of_many.push_back(1e3 * seconds_of_snapshot(many, name));
    }
    few_ms.push_back(figures_of(of_few).median);
    many_ms.push_back(figures_of(of_many).median);
    ratios.push_back(many_ms.back() / few_ms.back());
  }
  const auto show = [](std::string_view what, const std::vector<double>& values) {
    const Figures figures = figures_of(values);
    fmt::print("{} {:.2f} ({:.2f}-{:.2f})", what, figures.median, figures.lowest, figures.highest);
  };
  show("snapshot of 1,000 files, medians of 50: ms", few_ms);
  show(fmt::format("; of {}: ms", settings.files), many_ms);
  show("; ratio", ratios);
  fmt::print("\n");
}

void diffs(Store& store, int rounds) {
  std::vector<double> times;
  for (int round = 0; round < rounds; ++round) {
    const auto before = must(store.versions.resolve({}, {}));
    for (size_t i = 0; i < 10; ++i) fill(store, i * 77'777, i * 77'777 + 1, fmt::format("changed {}", round));
    const auto after = must(store.versions.resolve({}, {}));
    files::NodeCache cold;
    const Stopwatch watch;
    size_t changed = 0;
    must(store.database.read([&](const kv::ReadTransaction& transaction) -> Result<void> {
      const files::EntryReader reader(transaction, cold);
      files::TreeDiff diff(reader, before.root, after.root);
      for (changed = 0; diff.next();) changed += diff.after() && diff.after()->kind == archive::EntryKind::file;
      return diff.status();
    }));
    times.push_back(1e3 * watch.seconds());
    if (changed != 10) fmt::print("diff found {} changes\n", changed);
  }
  const Figures figures = figures_of(times);
  fmt::print("diff of 10 changes, nodes not in the cache: {:.2f} ms ({:.2f}-{:.2f})\n", figures.median, figures.lowest,
             figures.highest);
}

// 99th percentile of single PUTs by so many clients, ms, while `work` runs.
double p99_while(Store& store, const FileSettings& settings, const std::function<void()>& work) {
  std::atomic<bool> done{false};
  std::vector<std::vector<double>> times(settings.writers);
  std::vector<std::thread> clients;
  for (size_t client = 0; client < times.size(); ++client) {
    clients.emplace_back([&, client] {
      Random random(client);
      while (!done) {
        const Stopwatch watch;
        const size_t i = random.below(settings.files);
        fill(store, i, i + 1, "beside");
        times[client].push_back(1e3 * watch.seconds());
      }
    });
  }
  work();
  done = true;
  for (std::thread& client : clients) client.join();
  std::vector<double> all;
  for (const auto& some : times) all.insert(all.end(), some.begin(), some.end());
  if (all.empty()) return 0;
  std::ranges::sort(all);
  return all[all.size() * 99 / 100];
}

void collections(Store& store, const FileSettings& settings) {
  std::vector<double> rates;
  std::vector<double> ratios;
  for (int round = 0; round < settings.rounds; ++round) {
    fill(store, 0, settings.files / 10, fmt::format("again {}", round));
    service::CollectAnswer answer;
    double seconds = 0;
    const double alone = p99_while(store, settings, [] { std::this_thread::sleep_for(std::chrono::seconds(2)); });
    const double beside = p99_while(store, settings, [&] {
      const Stopwatch watch;
      service::TaskProgress progress;
      answer = must(store.collector.run(progress, false));
      seconds = watch.seconds();
    });
    rates.push_back(static_cast<double>(answer.live_entries + answer.garbage_entries) / seconds);
    if (settings.writers > 0) ratios.push_back(beside / alone);
    fmt::print("collection: {} live, {} removed in {:.2f} s; writers' p99 {:.2f} ms alone, {:.2f} beside\n",
               answer.live_entries, answer.garbage_entries, seconds, alone, beside);
  }
  const Figures rate = figures_of(rates);
  if (settings.writers == 0) ratios = {0};
  const Figures ratio = figures_of(ratios);
  fmt::print("collection: {:.0f} entries/s ({:.0f}-{:.0f}), p99 of writers x {:.2f} ({:.2f}-{:.2f})\n", rate.median,
             rate.lowest, rate.highest, ratio.median, ratio.lowest, ratio.highest);
}

void run_tree(const FileSettings& settings) {
  std::filesystem::path beside = settings.directory;
  beside += "-few";
  std::optional<Store> few(std::in_place, beside);
  fill(*few, 0, 1'000, "first");
  Store store(settings.directory);
  const Stopwatch watch;
  fill(store, 0, settings.files, "first");
  fmt::print("{} files put in groups of 1,000: {:.0f} files/s\n", settings.files,
             static_cast<double>(settings.files) / watch.seconds());
  snapshots(*few, store, settings);
  few.reset();
  diffs(store, settings.rounds);
  for (const auto& snapshot : must(store.versions.snapshots({}))) {
    must(store.versions.remove_snapshot({}, snapshot.name));
  }
  collections(store, settings);
}

void run_collect(const FileSettings& settings) {
  Store store(settings.directory);
  collections(store, settings);
}

}  // namespace
}  // namespace strata::bench

int main(int argc, char** argv) {
  strata::bench::FileSettings settings;
  CLI::App app("Versioned files, in process");
  app.require_subcommand(1);
  app.add_option("--directory", settings.directory, "of the store");
  app.add_option("--rounds", settings.rounds);
  auto* import = app.add_subcommand("import", "a directory into the store; JSON on one line");
  import->add_option("source", settings.source)->required();
  import->add_option("--threads", settings.threads);
  import->callback([&] { strata::bench::run_import(settings); });
  auto* large = app.add_subcommand("large", "one large file, in and out");
  large->add_option("--bytes", settings.bytes);
  large->callback([&] { strata::bench::run_large(settings); });
  auto* tree = app.add_subcommand("tree", "snapshots, diffs and collections over many files");
  tree->add_option("--files", settings.files);
  tree->callback([&] { strata::bench::run_tree(settings); });
  auto* collect = app.add_subcommand("collect", "collections over what tree has left, beside writers");
  collect->add_option("--files", settings.files);
  collect->add_option("--writers", settings.writers);
  collect->callback([&] { strata::bench::run_collect(settings); });
  CLI11_PARSE(app, argc, argv);
}
