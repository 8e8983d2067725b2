// Side by side: two ways of doing the same, one after the other, several times.
//
// Purpose:       medians with their range, and the ratio of the medians; interleaved, because a shared machine drifts.
#pragma once

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace strata::bench {

// One side of a comparison: does it for about as long as it is told and returns how many a second.
struct Side {
  std::string name;
  std::function<double()> run;
  // Printed behind the figures; asked once, after the last run.
  std::function<std::string()> note = [] { return std::string(); };
};

struct Figures {
  double median = 0;
  double lowest = 0;
  double highest = 0;
};

inline Figures figures_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return {values[values.size() / 2], values.front(), values.back()};
}

// Runs ours and every peer in turn, `rounds` times, and prints a row each; `target` is what ours over the first peer
// should reach. True: it does.
bool compare(const std::string& title, const Side& ours, const std::vector<Side>& peers, int rounds, double target);

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count(); }

 private:
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

// CPU seconds of this process so far.
double cpu_seconds();
// Of this thread.
double thread_cpu_seconds();

struct Settings {
  // Data goes below it and is removed.
  std::filesystem::path directory;
  int rounds = 5;
  double seconds = 3;
  int clients = 64;
  int rows = 200'000;
};

bool bench_commits(const Settings& settings);
bool bench_reads(const Settings& settings);

}  // namespace strata::bench
