// VectorImage: a view on disk, so that a start need not build it again.
//
// Purpose:       two files in the collection's directory, the graph's (hnsw) and one for the rest; which ones count
//                says a row among the collection's keys, committed after they are on disk. docs/formats/vectors.md.
// Ownership:     nothing is kept.
// Thread safety: one image of a collection at a time.
// Invariants:    an image is opened when the row names it and all of it is as it was written; else the caller builds
//                the view from the keys. Files that no row names are removed by the next image and at the start.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "layers/vectors/vector_log.h"
#include "service/vector_view.h"

namespace strata::service {

struct OpenedView {
  std::unique_ptr<VectorView> view;
  // To be read from the keys before the view is right.
  std::vector<uint64_t> missing;
};

// Both files, synced.
Result<void> write_image(const std::string& directory, const vectors::Collection& collection, uint64_t number,
                         ViewImage image);
// corruption: it is not what the row names. not_found: it is not there.
Result<OpenedView> open_image(const std::string& directory, const vectors::Collection& collection,
                              const vectors::ImageRow& row);
// All files of images but those of this number; 0: all.
void remove_other_images(const std::string& directory, uint64_t number);

}  // namespace strata::service
