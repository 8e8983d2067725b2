// ExternalPeer: an index in another program, usearch's by its Python package: usearch_peer.py.
//
// Purpose:       what has no packaged headers stands beside ours in the same run, by turns.
// Ownership:     owns the process, which ends with it.
// Thread safety: one thread.
// Invariants:    the program builds from the files that bench_vectors exports, then measures all queries for each line
//                that it is sent; times are its own, of its index alone.
#pragma once

#include <cstddef>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace strata::bench {

class ExternalPeer {
 public:
  struct Measured {
    double recall = 0;
    double seconds = 0;
  };

  // Waits until it is built. Null: it does not start.
  static std::unique_ptr<ExternalPeer> start(const std::vector<std::string>& command);
  ~ExternalPeer();
  ExternalPeer(const ExternalPeer&) = delete;
  ExternalPeer& operator=(const ExternalPeer&) = delete;

  const std::string& name() const { return name_; }
  double build_seconds() const { return build_seconds_; }
  double memory_bytes() const { return memory_bytes_; }
  Measured search(size_t ef);

 private:
  ExternalPeer() = default;

  int process_ = -1;
  FILE* to_ = nullptr;
  FILE* from_ = nullptr;
  std::string name_;
  double build_seconds_ = 0;
  double memory_bytes_ = 0;
};

}  // namespace strata::bench
