#include "service/file_listing.h"

#include <algorithm>

#include "base/glob.h"
#include "layers/files/path.h"
#include "service/file_trees.h"

namespace strata::service {
namespace {

using archive::ChildEntry;
using archive::EntryKind;

constexpr size_t page_entries = 1'000;
// Of a page that finds little: a transaction lasts five seconds.
constexpr size_t most_looked_at = 20'000;
// What a glob costs at worst is a step for each of its bytes and each of the name's: so many cost as much as a look.
constexpr size_t glob_steps_a_look = 100;

}  // namespace

FileListing::FileListing(FileSystem& system, const FileStat& directory, const ListFilesRequest& request,
                         FilePins::Pin pin)
    : system_(system),
      base_(directory.path),
      depth_(request.depth),
      glob_(request.glob),
      after_(request.after),
      pin_(std::move(pin)),
      left_(request.limit == 0 ? UINT64_MAX : request.limit),
      levels_({{directory.hash, directory.path, {}}}) {}

// Goes down to where `after` is, as far as there is such a place.
Result<void> FileListing::begin(const files::EntryReader& reader, Page& page) const {
  std::string_view rest = after_;
  while (!rest.empty()) {
    Level& level = page.levels.back();
    const size_t end = depth_ == 0 ? rest.size() : std::min(rest.find('/'), rest.size());
    level.after = rest.substr(0, end);
    rest.remove_prefix(std::min(rest.size(), end + 1));
    if (rest.empty()) break;
    ASSIGN_OR_RETURN(const auto child, files::find_child(reader, level.directory, level.after));
    if (!child || !goes_into(*child, page.levels.size())) break;
    page.levels.push_back({child->hash, files::join_path(level.path, child->name), {}});
  }
  return {};
}

bool FileListing::goes_into(const ChildEntry& child, size_t level) const {
  return child.kind == EntryKind::directory && (depth_ < 0 || level <= static_cast<uint64_t>(depth_));
}

bool FileListing::wants(const ChildEntry& child, const Level& level) const {
  if (depth_ != 0 && child.kind == EntryKind::directory) return false;
  if (glob_.empty()) return true;
  if (glob_.find('/') == std::string::npos) return glob_matches(glob_, child.name);
  const std::string path = files::join_path(level.path, child.name);
  const size_t below = base_ == "/" ? 1 : base_.size() + 1;
  std::string_view pattern = glob_;
  if (pattern.starts_with('/')) pattern.remove_prefix(1);
  return glob_matches(pattern, std::string_view(path).substr(below));
}

Result<void> FileListing::walk(const files::EntryReader& reader, Page& page) const {
  Level& level = page.levels.back();
  files::Children children(reader, level.directory, level.after);
  while (children.next()) {
    const ChildEntry& child = children.entry();
    level.after = child.name;
    page.looked_at += 1 + glob_.size() * child.name.size() / glob_steps_a_look;
    if (wants(child, level)) {
      ASSIGN_OR_RETURN(FileStat stat, stat_of(reader, child, files::join_path(level.path, child.name)));
      page.entries.push_back(std::move(stat));
    }
    if (goes_into(child, page.levels.size())) {
      page.levels.push_back({child.hash, files::join_path(level.path, child.name), {}});
      return {};
    }
    if (page.entries.size() >= std::min<uint64_t>(page_entries, left_) || page.looked_at >= most_looked_at) return {};
  }
  RETURN_IF_ERROR(children.status());
  page.levels.pop_back();
  return {};
}

Result<std::vector<FileStat>> FileListing::next(const Context& context) {
  ASSIGN_OR_RETURN(Page page, system_.read(context, [&](const files::EntryReader& reader) -> Result<Page> {
    Page attempt{.levels = levels_, .entries = {}};
    if (!began_) RETURN_IF_ERROR(begin(reader, attempt));
    while (!attempt.levels.empty() && attempt.looked_at < most_looked_at &&
           attempt.entries.size() < std::min<uint64_t>(page_entries, left_)) {
      RETURN_IF_ERROR(walk(reader, attempt));
    }
    return attempt;
  }));
  began_ = true;
  left_ -= page.entries.size();
  levels_ = std::move(page.levels);
  if (left_ == 0) levels_.clear();
  return std::move(page.entries);
}

}  // namespace strata::service
