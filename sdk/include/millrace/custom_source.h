// CustomSource<T>: a source in the job's own code, which can be read again from every position, and so gives exactly
// once. It lists its splits, and opens a reader for one. A position is data that only the source understands: a text of
// at most 1000 bytes that names a place between two records.
//
//   class Numbers : public millrace::CustomSource<long> {
//     struct Reader : millrace::CustomReader<long> {
//       millrace::ReadEnd Read(std::string_view from, millrace::SourceOutput<long>& out) override {
//         for (long n = std::stol(std::string(from)); n < 1000; ++n)
//           if (!out.Add(n, std::to_string(n + 1))) return millrace::ReadEnd::kNothingNow;
//         return millrace::ReadEnd::kEnd;
//       }
//     };
//     millrace::CustomSplits ListSplits() override { return {{{"all", "0"}}, true}; }
//     std::unique_ptr<millrace::CustomReader<long>> OpenSplit(const std::string&) override {
//       return std::make_unique<Reader>();
//     }
//   };
//   auto numbers = ctx.FromSource(std::make_shared<Numbers>(), {.bounded = true});
//
// The promise on which everything rests: Read from the same position gives the same records with the same positions
// after them, today and after a crash, on whichever machine. millrace/testing/source_conformance.h tries it.
//
// The object is made by the job's body, in the planner (which has no network and writes no file) and in each runner:
// its constructor only keeps what it is given. Thread rule: ListSplits and Open may be called at once, from any thread;
// a reader is used by one thread at a time, different readers at once. The runner reads ahead on a thread of its own
// for each split, into a bounded buffer, so Read may wait for its upstream, a few seconds at most. Errors: what is
// thrown is told with the operator and the split in the job's status; see <millrace/engine_connectors.h> for what is
// tried again.
#pragma once

#include <charconv>
#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "millrace/engine_connectors.h"
#include "millrace/internal/custom_values.h"

namespace millrace {

using CustomSplit = engine::SplitStart;  // {.name = "a.csv", .start = "0"}
using CustomSplits = engine::SplitList;  // {.splits = {…}, .complete = true}
using ReadEnd = engine::ReadEnd;         // kNothingNow: there may be more later; kEnd: never

struct CustomSourceOptions {
  bool bounded = false;  // it can end: when the list is complete and every split has ended, the job finishes by itself
  std::chrono::milliseconds discovery_interval = std::chrono::seconds(5);   // between two calls of ListSplits
  std::chrono::milliseconds poll_interval = std::chrono::milliseconds(50);  // after a Read that found nothing
  std::uint64_t max_records_per_batch = 100'000;                            // of a split, 1 or more
  std::uint64_t prefetch_bytes = 16ULL << 20;  // read ahead for a split, at most; 64 KiB or more
};

// Takes what a reader reads, one record after the other.
template <class T>
class SourceOutput {
 public:
  explicit SourceOutput(engine::ReadOutput& output) : output_(output) {}

  // `next` is the position after the record, another one after every record of the split: the place where reading goes
  // on when this record was the last one taken. The record is copied. False: it was taken, but no more is wanted now;
  // return kNothingNow, the next Read says from where.
  bool Add(const T& record, std::string_view next) { return output_.Add(detail::ValueBytes(record, buffer_), next); }
  bool Add(const T& record, std::uint64_t next) {
    char digits[20];
    const auto end = std::to_chars(digits, digits + sizeof digits, next).ptr;
    return Add(record, std::string_view(digits, static_cast<std::size_t>(end - digits)));
  }
  // For a reader that looks at much and adds little: return when it turns false.
  bool wanted() const { return output_.wanted(); }

 private:
  engine::ReadOutput& output_;
  std::string buffer_;
};

// A position that is a number, as SourceOutput::Add(record, number) writes it. std::invalid_argument when it is not.
inline std::uint64_t NumberAt(std::string_view position) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(position.data(), position.data() + position.size(), number);
  if (position.empty() || error != std::errc() || end != position.data() + position.size())
    throw std::invalid_argument("position '" + std::string(position) + "' is not a number");
  return number;
}

// Reads one split. `from` is normally where the last Read of this reader ended, and may be any other position of the
// split: after a failure reading begins anew, further back. A reader that holds something open looks whether it stands
// there, and else goes there. std::logic_error for a position that is none; std::runtime_error for a neighbour that
// does not answer: Read is called again later, with a new reader.
template <class T>
class CustomReader : public engine::SplitReader {
 public:
  using Record = T;
  virtual ReadEnd Read(std::string_view from, SourceOutput<T>& out) = 0;

  // For the runner.
  ReadEnd ReadInto(engine::ReadOutput& output, std::string_view from) final {
    SourceOutput<T> typed(output);
    return Read(from, typed);
  }
};

template <class T>
class CustomSource : public engine::Source {
 public:
  static_assert(detail::kIsPlainText<T> || Encodable<T>,
                "a CustomSource needs a millrace::Codec for its record type; see <millrace/codec.h>");
  using Record = T;
  // All splits that exist now. A split that was listed once may be left out when all of it was read. What it throws is
  // tried again, but for std::logic_error, which fails the job.
  CustomSplits ListSplits() override = 0;
  virtual std::unique_ptr<CustomReader<T>> OpenSplit(const std::string& split) = 0;

  // For the runner.
  std::unique_ptr<engine::SplitReader> Open(const std::string& split) final {
    auto reader = OpenSplit(split);
    if (!reader) throw std::logic_error("OpenSplit gave no reader for split '" + split + "'");
    return reader;
  }
};

}  // namespace millrace
