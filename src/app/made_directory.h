// MadeDirectory: a data directory that was not there before goes again with what it was made for.
//
// Purpose:       what came to nothing leaves no trace.
// Ownership:     the directory until keep(); it outlives the engine that has it open.
// Thread safety: the main thread.
// Invariants:    a directory that was there when this began is never removed.
#pragma once

#include <filesystem>
#include <string>
#include <utility>

namespace strata::app {

class MadeDirectory {
 public:
  // None.
  MadeDirectory() = default;
  // Before it is made; one that is there already stays.
  explicit MadeDirectory(std::string directory) {
    std::error_code error;
    const bool is_there = std::filesystem::exists(directory, error);
    if (!is_there && !error) directory_ = std::move(directory);
  }
  ~MadeDirectory() {
    std::error_code error;
    if (!directory_.empty()) std::filesystem::remove_all(directory_, error);
  }
  MadeDirectory(const MadeDirectory&) = delete;
  MadeDirectory& operator=(const MadeDirectory&) = delete;
  MadeDirectory(MadeDirectory&& other) noexcept
      : given_up_(other.given_up_), directory_(std::exchange(other.directory_, {})) {}
  MadeDirectory& operator=(MadeDirectory&&) = delete;

  void keep() {
    if (!given_up_) directory_.clear();
  }
  // It goes, whatever is to be seen in it: that may be in memory alone.
  void give_up() { given_up_ = true; }

 private:
  bool given_up_ = false;
  std::string directory_;
};

}  // namespace strata::app
