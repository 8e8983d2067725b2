// Index: approximate and exact nearest neighbours of float32 vectors, in memory.
//
// Purpose:       a graph (HNSW) that is walked on 8-bit codes; what it finds is ranked by the exact float32 rows. It
//                is a view: the truth is elsewhere, and an index that is lost is built again.
// Ownership:     owns its memory and, with a directory, one unnamed file for the rows (the page cache may drop them).
//                Copies what it is given.
// Thread safety: all of it, from any thread: searches wait for nobody, inserts run beside each other and beside
//                searches. insert and remove of the same label must not overlap: the caller orders them.
// Invariants:    a label has at most one live slot. A search that begins after insert or remove returned sees it.
//                Scores are exact, matches ascend by (score, label), no label comes twice. A slot is given to another
//                label only when no Pin and no search from before its removal is left.
// Errors:        invalid_argument for a wrong dimension, NaN and infinity; disk_full and io_error of the rows' file;
//                corruption of an image; operation_cancelled where a StopCheck said so.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "hnsw/slot_set.h"
#include "hnsw/types.h"

namespace strata::hnsw {

class Image;

class Index {
 public:
  // invalid_argument: an option outside its bounds (types.h).
  static Result<std::unique_ptr<Index>> create(const Options& options);
  // An image that Image::write made: validated, every section by its checksum. `expected` must be what the image was
  // made with (dimension, metric, quantization, m); corruption otherwise. The rows stay in the image's file, mapped: it
  // may be unlinked, but not changed.
  static Result<std::unique_ptr<Index>> open(const std::string& path, const Options& expected);
  ~Index();
  Index(const Index&) = delete;
  Index& operator=(const Index&) = delete;

  const Options& options() const;

  // Inserts the vector, or replaces the one that has the label. ef_construction 0: that of the options.
  Result<void> insert(uint64_t label, std::span<const float> values, uint32_t ef_construction = 0);
  // False: there is no such label. Costs about as much as an insert: a part of the graph is repaired each time.
  bool remove(uint64_t label);
  // Inserts many with several threads (the caller's among them); stops at the first error.
  Result<BuildReport> build(const BuildSource& source, const BuildOptions& build_options);
  // Repairs around all removed slots at once and frees them; otherwise removes do so bit by bit.
  void repair();

  // The k nearest, by score and label. ef 0: 50; never less than k. With `allowed`, the nearest of that set.
  Result<std::vector<Match>> search(std::span<const float> query, size_t k, const SearchOptions& search_options) const;
  // The k nearest for certain: every live slot, or those of `allowed`, is looked at.
  Result<std::vector<Match>> exact_search(std::span<const float> query, size_t k, const SlotSet* allowed = nullptr,
                                          const StopCheck* stopped = nullptr) const;
  // About how many bytes of codes or rows search() would look at: what it costs. more: of slots that may yet be put
  // into `allowed`.
  uint64_t expected_bytes(std::span<const float> query, size_t k, const SearchOptions& search_options,
                          size_t more = 0) const;
  // Appends all live matches of slots [first, last) whose score is at most `limit`, in the order of slots. A whole scan
  // goes from 0 to slot_end() in steps of the caller's choice, between which it can be cancelled.
  Result<void> scan(std::span<const float> query, uint32_t first, uint32_t last, float limit,
                    std::vector<Match>& out) const;

  // Live vectors.
  size_t size() const;
  // All slots are below.
  uint32_t slot_end() const;

  // While a Pin lives, a slot that it could see is not given to another label, and its row stays.
  class Pin {
   public:
    explicit Pin(const Index& index);
    ~Pin();
    Pin(const Pin&) = delete;
    Pin& operator=(const Pin&) = delete;

   private:
    const Index& index_;
    uint32_t place_;
  };
  // What is below is meaningful while a Pin that was taken before lives.
  std::optional<uint32_t> slot_of(uint64_t label) const;
  // nullopt: the slot is not live.
  std::optional<uint64_t> label_of(uint32_t slot) const;
  // Of a slot that slot_of told.
  std::span<const float> row(uint32_t slot) const;
  // Puts the slots of the labels that are there into the set: one lock for all, which pays above a few.
  void add_slots(std::span<const uint64_t> labels, SlotSet& into) const;

  // Bytes, by what they are for.
  Memory memory() const;

  // What the index holds at this moment, to be written while searches, inserts and removes go on. It waits for the
  // inserts and removes that are running, and copies 9 bytes a vector.
  Result<std::unique_ptr<Image>> begin_image() const;

 private:
  friend class Image;
  friend class ImageReader;
  struct State;
  explicit Index(std::unique_ptr<State> state);
  struct Course {
    Plan plan = Plan::automatic;
    size_t matching = 0;
    size_t ef = 0;
    double comparisons = 0;
  };
  Course choose_course(std::span<const float> query, size_t k, const SearchOptions& search_options, size_t more) const;

  const std::unique_ptr<State> state_;
};

// The state of an index at one moment. The index outlives it; while it lives, slots of removed vectors are not used
// again.
class Image {
 public:
  ~Image();
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;

  // Creates the file and syncs it; the directory is the caller's to sync. cancelled may be null.
  Result<ImageReport> write(const std::string& path, const std::atomic<bool>* cancelled = nullptr);
  size_t size() const;

 private:
  friend class Index;
  struct State;
  explicit Image(std::unique_ptr<State> state);

  const std::unique_ptr<State> state_;
};

}  // namespace strata::hnsw
