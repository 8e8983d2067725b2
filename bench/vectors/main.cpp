// bench_vectors: the graph index beside hnswlib, in process: rate of building, recall and queries a second, filters.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <unordered_set>

#include "hnsw/distance.h"
#include "hnsw/index.h"
#include "hnsw/vectors_test.h"
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
    if (!settings.without_peer) {
      peer_ = make_hnswlib(settings.dimension, settings.vectors, settings.m, settings.ef_construction);
    }
  }

  void run() {
    fmt::print("{} x {}, {} clusters of intrinsic dimension {}, euclidean, M {}, efConstruction {}, k {}, {}\n",
               settings_.vectors, settings_.dimension, settings_.clusters, settings_.intrinsic, settings_.m,
               settings_.ef_construction, settings_.k, hnswlib_version());
    build();
    if (!settings_.export_to.empty()) export_all();
    if (settings_.only != "filters") curve();
    if (settings_.only != "curve") {
      for (const uint64_t one_in : {100, 10, 2}) filtered(one_in);
    }
    if (settings_.only.empty()) while_inserting();
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
               const std::function<std::vector<uint64_t>(const float*, size_t ef)>& ours) const {
    const auto right = truth(std::max<uint64_t>(one_in, 1));
    std::vector<Point> our_points(efs.size());
    std::vector<Point> their_points(efs.size());
    for (size_t round = 0; round < settings_.rounds; ++round) {
      for (size_t i = 0; i < efs.size(); ++i) {
        once(right, [&](const float* row) { return ours(row, efs[i]); }, our_points[i]);
        if (peer_ == nullptr) continue;
        once(right, [&](const float* row) { return peer_->search(row, settings_.k, efs[i], one_in); }, their_points[i]);
      }
    }
    fmt::print("\n{}\n", name);
    for (size_t i = 0; i < efs.size(); ++i) {
      fmt::print("  ef {:4}  strata {}", efs[i], our_points[i].text());
      if (peer_ != nullptr) fmt::print("  hnswlib {}", their_points[i].text());
      fmt::print("\n");
    }
    if (peer_ == nullptr) return;
    for (const double recall : {0.9, 0.95, 0.99}) {
      const double our_rate = rate_at(our_points, recall);
      const double their_rate = rate_at(their_points, recall);
      fmt::print("  at recall {}: strata {:.0f}/s, hnswlib {:.0f}/s, ratio {:.2f}\n", recall, our_rate, their_rate,
                 our_rate / their_rate);
    }
  }

  static std::vector<uint64_t> labels_of(const std::vector<hnsw::Match>& matches) {
    std::vector<uint64_t> labels;
    for (const hnsw::Match& match : matches) labels.push_back(match.label);
    return labels;
  }

  void curve() const {
    compare("search", 0, {10, 15, 20, 30, 40, 60, 80, 120, 200, 400}, [&](const float* row, size_t ef) {
      return labels_of(index_->search(span(row), settings_.k, {.ef = static_cast<uint32_t>(ef)}).value());
    });
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

  void while_inserting() const {
    const auto search_all = [&] {
      for (size_t q = 0; q < settings_.queries; ++q) (void)index_->search(span(query(q)), settings_.k, {.ef = 50});
    };
    const double alone = seconds_of(search_all);
    std::atomic<bool> stop{false};
    std::thread writer([&] {
      for (size_t i = 0; !stop.load(); ++i)
        (void)index_->insert(settings_.vectors + i, span(base(i % settings_.vectors)));
    });
    const double beside = seconds_of(search_all);
    stop.store(true);
    writer.join();
    fmt::print("\nsearch by one thread while another inserts: {:.2f} of its rate alone\n", alone / beside);
  }

  // For other programs: rows of float32, one after another.
  void export_all() const {
    const auto write = [&](const char* name, const std::vector<float>& values) {
      std::ofstream(settings_.export_to + name, std::ios::binary)
          .write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size() * 4));
    };
    write("/base.f32", base_);
    write("/queries.f32", queries_);
    std::ofstream labels(settings_.export_to + "/truth.txt");
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
  app.add_option("--only", settings.only, "curve or filters (each plan by itself)");
  app.add_option("--export", settings.export_to, "a directory for vectors, queries and the right answers");
  app.add_flag("--without-peer", settings.without_peer);
  CLI11_PARSE(app, argc, argv);
  strata::bench::Bench(settings).run();
  return 0;
}
