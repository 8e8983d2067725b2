#include "core/harness.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <time.h>

namespace strata::bench {

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double thread_cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

bool compare(const std::string& title, const Side& ours, const std::vector<Side>& peers, int rounds, double target) {
  std::vector<Side> sides{ours};
  sides.insert(sides.end(), peers.begin(), peers.end());
  std::vector<std::vector<double>> values(sides.size());
  for (int round = 0; round < rounds; ++round) {
    for (size_t i = 0; i < sides.size(); ++i) values[i].push_back(sides[i].run());
  }
  fmt::print("{}\n", title);
  const Figures own = figures_of(values[0]);
  for (size_t i = 0; i < sides.size(); ++i) {
    const Figures figures = figures_of(values[i]);
    const std::string ratio = i == 0 ? "" : fmt::format("ours is {:.2f} x", own.median / figures.median);
    fmt::print("  {:44} {:>10.0f}/s  ({:.0f} .. {:.0f})  {:16} {}\n", sides[i].name, figures.median, figures.lowest,
               figures.highest, ratio, sides[i].note());
  }
  const double reached = own.median / figures_of(values[1]).median;
  const bool good = reached >= target;
  fmt::print("  target {:.2f} x: {}\n\n", target, good ? "reached" : "MISSED");
  std::fflush(stdout);
  return good;
}

}  // namespace strata::bench
