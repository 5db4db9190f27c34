#include "executor/state/state_merge.h"

#include <utility>

namespace millrace {

MergeCursor::MergeCursor(std::vector<std::unique_ptr<EntryCursor>> runs, Deleted deleted)
    : runs_(std::move(runs)), deleted_entries_(deleted) {}

absl::Status MergeCursor::Start() {
  started_ = true;
  for (std::size_t i = 0; i < runs_.size(); ++i) {
    MR_ASSIGN_OR_RETURN(const bool more, runs_[i]->Next());
    if (!more) continue;
    heap_.push_back(runs_[i].get());
    ages_.push_back(i);
  }
  for (std::size_t i = heap_.size() / 2; i-- > 0;) SiftDown(i);
  return absl::OkStatus();
}

bool MergeCursor::Before(std::size_t a, std::size_t b) const {
  const int order = heap_[a]->key().compare(heap_[b]->key());
  return order != 0 ? order < 0 : ages_[a] > ages_[b];
}

void MergeCursor::SiftDown(std::size_t at) {
  while (at < heap_.size()) {
    std::size_t least = at;
    const std::size_t left = 2 * at + 1;
    if (left < heap_.size() && Before(left, least)) least = left;
    if (left + 1 < heap_.size() && Before(left + 1, least)) least = left + 1;
    if (least == at) return;
    std::swap(heap_[at], heap_[least]);
    std::swap(ages_[at], ages_[least]);
    at = least;
  }
}

// The run at this place of the heap, the top or right below it, goes to its next entry.
absl::Status MergeCursor::Advance(std::size_t at) {
  MR_ASSIGN_OR_RETURN(const bool more, heap_[at]->Next());
  if (!more) {
    // The last one cannot belong above: there is only the top.
    heap_[at] = heap_.back();
    ages_[at] = ages_.back();
    heap_.pop_back();
    ages_.pop_back();
  }
  SiftDown(at);
  return absl::OkStatus();
}

// Passes over the older entries of the key on top. Equals are below each other, so a look at the top's children is
// enough.
absl::Status MergeCursor::SkipOlder() {
  while (KeyIsTop(1)) MR_RETURN_IF_ERROR(Advance(1));
  while (KeyIsTop(2)) MR_RETURN_IF_ERROR(Advance(2));
  return absl::OkStatus();
}

absl::StatusOr<bool> MergeCursor::Next() {
  if (!started_) {
    MR_RETURN_IF_ERROR(Start());
  } else if (!heap_.empty()) {
    MR_RETURN_IF_ERROR(Advance(0));
  }
  while (!heap_.empty()) {
    MR_RETURN_IF_ERROR(SkipOlder());
    if (deleted_entries_ == Deleted::kKeep || !heap_[0]->deleted()) break;
    MR_RETURN_IF_ERROR(Advance(0));
  }
  if (heap_.empty()) return false;
  key_ = heap_[0]->key();
  value_ = heap_[0]->value();
  deleted_ = heap_[0]->deleted();
  return true;
}

absl::StatusOr<StateFileTotals> WriteStateFile(EntryCursor& entries, CheckpointStore& store, const std::string& name) {
  MR_ASSIGN_OR_RETURN(const auto writer, StateFileWriter::Make(store, name));
  while (true) {
    MR_ASSIGN_OR_RETURN(const bool more, entries.Next());
    if (!more) return writer->Finish();
    MR_RETURN_IF_ERROR(entries.deleted() ? writer->AddDeleted(entries.key())
                                         : writer->Add(entries.key(), entries.value()));
  }
}

}  // namespace millrace
