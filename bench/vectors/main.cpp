// bench_vectors: the graph index beside hnswlib, in process, and usearch: rate of building, recall and queries a
// second, filters, searches while others insert.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_set>

#include "hnsw/distance.h"
#include "hnsw/index.h"
#include "hnsw/vectors_test.h"
#include "vectors/external_peer.h"
#include "vectors/peer.h"

namespace strata::bench {
namespace {

struct Settings {
  size_t dimension = 128;
  size_t vectors = 100'000;
  size_t queries = 500;
  size_t clusters = 200;
  size_t intrinsic = 16;
  size_t m = 16;
  size_t ef_construction = 200;
  size_t k = 10;
  size_t rounds = 5;
  std::string only;
  std::string export_to;
  bool without_peer = false;
  std::vector<std::string> usearch;  // the Python that has it, and the program
  double seconds = 2;                // of each measurement of searches beside an inserter
};

using Search = std::function<std::vector<uint64_t>(const float* query)>;

class Bench {
 public:
  explicit Bench(const Settings& settings) : settings_(settings) {
    hnsw::ClusteredVectors source(settings.dimension, settings.clusters, settings.intrinsic, 1);
    base_ = rows(source, settings.vectors);
    // From the same clusters, but none of the vectors.
    queries_ = rows(source, settings.queries);
    index_ = hnsw::Index::create({.dimension = static_cast<uint32_t>(settings.dimension),
                                  .metric = hnsw::Metric::euclidean,
                                  .m = static_cast<uint32_t>(settings.m),
                                  .ef_construction = static_cast<uint32_t>(settings.ef_construction)})
                 .value();
    next_label_ = settings.vectors;
    if (!settings.without_peer) {
      peer_ = make_hnswlib(settings.dimension, settings.vectors, settings.m, settings.ef_construction);
    }
  }

  void run() {
    fmt::print("{} x {}, {} clusters of intrinsic dimension {}, euclidean, M {}, efConstruction {}, k {}, {}\n",
               settings_.vectors, settings_.dimension, settings_.clusters, settings_.intrinsic, settings_.m,
               settings_.ef_construction, settings_.k, hnswlib_version());
    build();
    if (!settings_.export_to.empty()) export_all(settings_.export_to);
    if (settings_.only != "filters" && settings_.only != "inserting") curve();
    if (settings_.only != "curve" && settings_.only != "inserting") {
      for (const uint64_t one_in : {100, 10, 2}) filtered(one_in);
    }
    if (settings_.only.empty() || settings_.only == "inserting") {
      for (const size_t threads : {size_t{1}, size_t{2}}) while_inserting(threads);
    }
  }

 private:
  std::vector<float> rows(hnsw::ClusteredVectors& source, size_t count) const {
    std::vector<float> all;
    all.reserve(count * settings_.dimension);
    for (size_t i = 0; i < count; ++i) {
      const std::vector<float> row = source.next();
      all.insert(all.end(), row.begin(), row.end());
    }
    return all;
  }
  const float* base(size_t i) const { return base_.data() + i * settings_.dimension; }
  const float* query(size_t i) const { return queries_.data() + i * settings_.dimension; }
  std::span<const float> span(const float* row) const { return {row, settings_.dimension}; }
  static double seconds_of(const std::function<void()>& work) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

  void build() {
    const auto count = static_cast<double>(settings_.vectors);
    const double ours = seconds_of([&] {
      for (size_t i = 0; i < settings_.vectors; ++i) (void)index_->insert(i, span(base(i)));
    });
    const double theirs = peer_ == nullptr ? 0 : seconds_of([&] {
      for (size_t i = 0; i < settings_.vectors; ++i) peer_->insert(i, base(i));
    });
    const hnsw::Memory memory = index_->memory();
    const double plain = static_cast<double>(settings_.dimension * 4 + settings_.m * 8 + 12);
    const double resident = static_cast<double>(memory.anonymous_bytes() - memory.anonymous_row_bytes) / count;
    fmt::print("build, one thread: strata {:.0f}/s, hnswlib {:.0f}/s, ratio {:.2f}\n", count / ours, count / theirs,
               theirs / ours);
    fmt::print("memory beside rows in a file: {:.0f} bytes a vector, {:.2f} of float32 + graph ({:.0f})\n", resident,
               resident / plain, plain);
  }

  std::vector<std::unordered_set<uint64_t>> truth(uint64_t one_in) const {
    std::vector<std::unordered_set<uint64_t>> right(settings_.queries);
    std::vector<float> scores(settings_.vectors);
    for (size_t q = 0; q < settings_.queries; ++q) {
      hnsw::scores(hnsw::Metric::euclidean, query(q), base_.data(), settings_.dimension, settings_.vectors,
                   scores.data());
      std::vector<hnsw::Match> matches;
      for (size_t i = 0; i < settings_.vectors; i += one_in) matches.push_back({i, scores[i]});
      std::partial_sort(matches.begin(), matches.begin() + static_cast<ptrdiff_t>(settings_.k), matches.end());
      for (size_t i = 0; i < settings_.k; ++i) right[q].insert(matches[i].label);
    }
    return right;
  }

  struct Point {
    double recall = 0;
    std::vector<double> rates;
    double rate() const {
      std::vector<double> sorted = rates;
      std::sort(sorted.begin(), sorted.end());
      return sorted[sorted.size() / 2];
    }
    std::string text() const {
      return fmt::format("{:.4f}  {:.0f}/s ({:.0f}-{:.0f})", recall, rate(),
                         *std::min_element(rates.begin(), rates.end()), *std::max_element(rates.begin(), rates.end()));
    }
  };

  void once(const std::vector<std::unordered_set<uint64_t>>& right, const Search& search, Point& point) const {
    size_t hits = 0;
    std::vector<std::vector<uint64_t>> found(settings_.queries);
    const double seconds = seconds_of([&] {
      for (size_t q = 0; q < settings_.queries; ++q) found[q] = search(query(q));
    });
    for (size_t q = 0; q < settings_.queries; ++q) {
      for (const uint64_t label : found[q]) hits += right[q].count(label);
    }
    point.recall = static_cast<double>(hits) / static_cast<double>(settings_.queries * settings_.k);
    point.rates.push_back(static_cast<double>(settings_.queries) / seconds);
  }

  // Queries a second at a recall, on the line between the points around it; 0: it is not reached.
  static double rate_at(const std::vector<Point>& points, double recall) {
    for (size_t i = 0; i < points.size(); ++i) {
      if (points[i].recall < recall) continue;
      if (i == 0) return points[0].rate();
      const double part = (recall - points[i - 1].recall) / (points[i].recall - points[i - 1].recall);
      return points[i - 1].rate() + part * (points[i].rate() - points[i - 1].rate());
    }
    return 0;
  }

  void compare(const std::string& name, uint64_t one_in, const std::vector<size_t>& efs,
               const std::function<std::vector<uint64_t>(const float*, size_t ef)>& ours,
               ExternalPeer* usearch = nullptr) const {
    const auto right = truth(std::max<uint64_t>(one_in, 1));
    std::vector<Point> our_points(efs.size());
    std::vector<Point> their_points(efs.size());
    std::vector<Point> usearch_points(efs.size());
    for (size_t round = 0; round < settings_.rounds; ++round) {
      for (size_t i = 0; i < efs.size(); ++i) {
        once(right, [&](const float* row) { return ours(row, efs[i]); }, our_points[i]);
        if (peer_ == nullptr) continue;
        once(right, [&](const float* row) { return peer_->search(row, settings_.k, efs[i], one_in); }, their_points[i]);
      }
      for (size_t i = 0; i < efs.size() && usearch != nullptr; ++i) {
        const ExternalPeer::Measured measured = usearch->search(efs[i]);
        usearch_points[i].recall = measured.recall;
        usearch_points[i].rates.push_back(static_cast<double>(settings_.queries) / measured.seconds);
      }
    }
    fmt::print("\n{}\n", name);
    for (size_t i = 0; i < efs.size(); ++i) {
      fmt::print("  ef {:4}  strata {}", efs[i], our_points[i].text());
      if (peer_ != nullptr) fmt::print("  hnswlib {}", their_points[i].text());
      if (usearch != nullptr) fmt::print("  {} {}", usearch->name(), usearch_points[i].text());
      fmt::print("\n");
    }
    for (const double recall : {0.9, 0.95, 0.99}) {
      const double our_rate = rate_at(our_points, recall);
      fmt::print("  at recall {}: strata {:.0f}/s", recall, our_rate);
      const auto beside = [&](std::string_view who, const std::vector<Point>& points) {
        const double rate = rate_at(points, recall);
        fmt::print(", {} {:.0f}/s, ratio {:.2f}", who, rate, our_rate / rate);
      };
      if (peer_ != nullptr) beside("hnswlib", their_points);
      if (usearch != nullptr) beside(usearch->name(), usearch_points);
      fmt::print("\n");
    }
  }

  static std::vector<uint64_t> labels_of(const std::vector<hnsw::Match>& matches) {
    std::vector<uint64_t> labels;
    for (const hnsw::Match& match : matches) labels.push_back(match.label);
    return labels;
  }

  void curve() const {
    const std::unique_ptr<ExternalPeer> usearch = start_usearch();
    compare(
        "search", 0, {10, 15, 20, 30, 40, 60, 80, 120, 200, 400},
        [&](const float* row, size_t ef) {
          return labels_of(index_->search(span(row), settings_.k, {.ef = static_cast<uint32_t>(ef)}).value());
        },
        usearch.get());
  }

  std::unique_ptr<ExternalPeer> start_usearch() const {
    if (settings_.usearch.size() != 2) return nullptr;
    std::string directory = std::filesystem::temp_directory_path() / "strata-bench-XXXXXX";
    if (mkdtemp(directory.data()) == nullptr) return nullptr;
    export_all(directory);
    std::vector<std::string> command = settings_.usearch;
    command.push_back(directory);
    for (const size_t number : {settings_.dimension, settings_.m, settings_.ef_construction, settings_.k}) {
      command.push_back(std::to_string(number));
    }
    auto peer = ExternalPeer::start(command);
    std::filesystem::remove_all(directory);
    if (peer == nullptr) return nullptr;
    const auto count = static_cast<double>(settings_.vectors);
    fmt::print("build, one thread: {} {:.0f}/s, {:.0f} bytes a vector\n", peer->name(), count / peer->build_seconds(),
               peer->memory_bytes() / count);
    return peer;
  }

  void filtered(uint64_t one_in) const {
    hnsw::SlotSet allowed(index_->slot_end());
    for (size_t i = 0; i < settings_.vectors; i += one_in) allowed.insert(*index_->slot_of(i));
    for (const auto& [plan, name] : {std::pair(hnsw::Plan::automatic, "automatic"), std::pair(hnsw::Plan::scan, "scan"),
                                     std::pair(hnsw::Plan::gated, "gated")}) {
      if (settings_.only != "filters" && plan != hnsw::Plan::automatic) continue;
      compare(fmt::format("one in {} matches, {}", one_in, name), one_in, {10, 20, 40, 80, 160, 320},
              [&](const float* row, size_t ef) {
                const hnsw::SearchOptions options{.ef = static_cast<uint32_t>(ef), .allowed = &allowed, .plan = plan};
                return labels_of(index_->search(span(row), settings_.k, options).value());
              });
    }
  }

  struct Rates {
    double a_second = 0;
    double a_cpu_second = 0;  // of the threads that search
  };
  Rates search_for_a_while(size_t threads) const {
    const auto cpu_seconds = [] {
      timespec now{};
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
      return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
    };
    std::mutex mutex;
    size_t searches = 0;
    double cpu = 0;
    const double seconds = seconds_of([&] {
      const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(settings_.seconds);
      std::vector<std::thread> running;
      for (size_t t = 0; t < threads; ++t) {
        running.emplace_back([&, t] {
          const double before = cpu_seconds();
          size_t mine = 0;
          for (; std::chrono::steady_clock::now() < end; ++mine) {
            (void)index_->search(span(query((mine + t * 97) % settings_.queries)), settings_.k, {.ef = 50});
          }
          std::lock_guard lock(mutex);
          searches += mine;
          cpu += cpu_seconds() - before;
        });
      }
      for (std::thread& thread : running) thread.join();
    });
    return {static_cast<double>(searches) / seconds, static_cast<double>(searches) / cpu};
  }

  // By turns, so that what the index grows by meanwhile counts for both: each measurement beside an inserter is
  // compared with the mean of those alone before and after it.
  void while_inserting(size_t threads) {
    std::vector<Rates> alone = {search_for_a_while(threads)};
    std::vector<double> kept;
    std::vector<double> kept_by_cpu;
    std::vector<double> inserted;
    for (size_t round = 0; round < settings_.rounds; ++round) {
      std::atomic<bool> stop{false};
      const size_t before = next_label_;
      std::thread writer([&] {
        // Near the others, and equal to none.
        for (Random random(round); !stop.load(); ++next_label_) {
          const float* row = base(next_label_ % settings_.vectors);
          std::vector<float> values(row, row + settings_.dimension);
          for (float& value : values) value += 0.1f * static_cast<float>(random.fraction());
          (void)index_->insert(next_label_, values);
        }
      });
      const Rates beside = search_for_a_while(threads);
      stop.store(true);
      writer.join();
      inserted.push_back(static_cast<double>(next_label_ - before) / settings_.seconds);
      alone.push_back(search_for_a_while(threads));
      const Rates& first = alone[alone.size() - 2];
      const Rates& second = alone.back();
      kept.push_back(2 * beside.a_second / (first.a_second + second.a_second));
      kept_by_cpu.push_back(2 * beside.a_cpu_second / (first.a_cpu_second + second.a_cpu_second));
    }
    const auto text = [](std::vector<double> values, int digits) {
      std::sort(values.begin(), values.end());
      return fmt::format("{:.{}f} ({:.{}f}-{:.{}f})", values[values.size() / 2], digits, values.front(), digits,
                         values.back(), digits);
    };
    fmt::print(
        "\n{} threads search (ef 50, {:.0f}/s alone) while one inserts {}/s: {} of the rate, {} a second of their "
        "CPU\n",
        threads, alone.front().a_second, text(inserted, 0), text(kept, 2), text(kept_by_cpu, 2));
  }

  // For other programs: rows of float32, one after another.
  void export_all(const std::string& directory) const {
    const auto write = [&](const char* name, const std::vector<float>& values) {
      std::ofstream(directory + name, std::ios::binary)
          .write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size() * 4));
    };
    write("/base.f32", base_);
    write("/queries.f32", queries_);
    std::ofstream labels(directory + "/truth.txt");
    for (const auto& right : truth(1)) {
      for (const uint64_t label : right) labels << label << ' ';
      labels << '\n';
    }
  }

  const Settings settings_;
  std::vector<float> base_;
  std::vector<float> queries_;
  std::unique_ptr<hnsw::Index> index_;
  std::unique_ptr<Peer> peer_;
  size_t next_label_ = 0;  // of what is inserted beside searches
};

}  // namespace
}  // namespace strata::bench

int main(int argc, char** argv) {
  strata::bench::Settings settings;
  CLI::App app("The graph index beside hnswlib, in process, one thread each");
  app.add_option("--dimension", settings.dimension)->capture_default_str();
  app.add_option("--vectors", settings.vectors)->capture_default_str();
  app.add_option("--queries", settings.queries)->capture_default_str();
  app.add_option("--clusters", settings.clusters)->capture_default_str();
  app.add_option("--intrinsic", settings.intrinsic, "dimension of each cluster")->capture_default_str();
  app.add_option("--m", settings.m)->capture_default_str();
  app.add_option("--ef-construction", settings.ef_construction)->capture_default_str();
  app.add_option("--rounds", settings.rounds)->capture_default_str();
  app.add_option("--only", settings.only, "curve, filters (each plan by itself) or inserting");
  app.add_option("--export", settings.export_to, "a directory for vectors, queries and the right answers");
  app.add_flag("--without-peer", settings.without_peer);
  app.add_option("--usearch", settings.usearch, "a Python with usearch, and usearch_peer.py")->expected(2);
  app.add_option("--seconds", settings.seconds, "of searching beside an inserter, each time")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  strata::bench::Bench(settings).run();
  return 0;
}
