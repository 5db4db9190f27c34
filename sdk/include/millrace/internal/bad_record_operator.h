// The base of operators that call a function for each record: what they do when it throws.
//
// By default nothing: the exception goes through, and no code is spent on it. An operator that skips bad records, or
// hands them on, keeps what a record has given until its call has returned, so that nothing of a bad record comes out,
// and pushes only outside of the call, so that what consumers throw is not taken for its own. Threads and errors: see
// operator.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "millrace/bad_records.h"
#include "millrace/internal/bad_record_text.h"
#include "millrace/internal/operator.h"
#include "millrace/internal/text.h"

namespace millrace::detail {

template <class In, class Out>
class RecordOperator : public Producer<Out, Consumer<In>> {
 public:
  static constexpr bool kHandlesBad = true;

  explicit RecordOperator(const OperatorSetup& setup) : Producer<Out, Consumer<In>>(setup) {
    if (setup.description->bad_records != engine::BadRecords::kFail) bad_ = std::make_unique<Bad>(setup);
  }
  void AttachSide(Operator& consumer) override {
    if (bad_ == nullptr) throw std::logic_error("an operator that fails for bad records has no side output");
    bad_->out.Attach(consumer);
  }

 protected:
  bool tolerant() const { return bad_ != nullptr; }

  // call(record) for every record, which adds to the outbox.
  template <class Call>
  void PushEach(std::span<const In> chunk, const Call& call) {
    this->out_.Hold(true);
    for (std::size_t i = 0; i < chunk.size(); ++i) {
      const std::size_t before = this->out_.size();
      if (!Try(chunk, i, [&] { call(chunk[i]); })) {
        this->out_.TakeBack(before);
      } else if (this->out_.size() >= engine::kChunkRecords) {
        this->out_.Hold(false);
        this->out_.Flush();
        this->out_.Hold(true);
      }
    }
    this->out_.Hold(false);
    this->out_.Flush();
    GiveBad();
  }

  // False: it has thrown, and the record is noted as bad.
  template <class Call>
  bool Try(std::span<const In> chunk, std::size_t i, const Call& call) {
    try {
      call();
      return true;
    } catch (const std::bad_alloc&) {
      throw;
    } catch (const std::exception& error) {
      Note(chunk, i, error.what());
    } catch (...) {
      Note(chunk, i, "something was thrown that is no std::exception");
    }
    return false;
  }

  // After each chunk.
  void GiveBad() {
    if (bad_->count == 0) return;
    this->setup().output->Count(this->setup().description->id, "bad_records", bad_->count);
    bad_->count = 0;
    bad_->out.Flush();
  }

 private:
  struct Bad {
    explicit Bad(const OperatorSetup& setup) : out(setup) {}
    Outbox<BadRecord> out;
    std::uint64_t count = 0;
  };

  // The source record that the record is or was made of: the stage pushes them one by one unless records of the
  // operator's chunk are those of the source, each for each. Null in stages without a source.
  const engine::SourceRecord* SourceOf(std::span<const In> chunk, std::size_t i) const {
    const std::span<const engine::SourceRecord> source = this->setup().shared->source;
    if (source.size() == 1) return &source[0];
    return source.size() == chunk.size() ? &source[i] : nullptr;
  }

  void Note(std::span<const In> chunk, std::size_t i, std::string_view reason) {
    ++bad_->count;
    const engine::OperatorDescription& op = *this->setup().description;
    if (op.bad_records != engine::BadRecords::kDeadLetter) return;
    BadRecord bad;
    bad.failed_operator = Cat(op.name, " at ", op.location);
    bad.reason = reason;
    const engine::SourceRecord* source = SourceOf(chunk, i);
    if (source != nullptr) {
      bad.bytes = source->value;
      bad.key = source->key;
      bad.topic = source->topic;
      bad.partition = source->partition;
      bad.position = source->position;
      bad.timestamp_us = source->timestamp_us;
    }
    const bool has_bytes = source != nullptr && (source->value.data() != nullptr || source->key.data() != nullptr);
    if (!has_bytes) AppendKnown(bad.bytes, chunk[i]);
    bad_->out.Add(std::move(bad));
  }

  std::unique_ptr<Bad> bad_;
};

}  // namespace millrace::detail
