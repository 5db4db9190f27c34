// The operators at the ends of a graph: rows for a connector sink, lines for the console, records for a ForEachBatch
// function. One object lives for one task. Threads and errors: see operator.h.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/batch_context.h"
#include "millrace/internal/narrow_operators.h"
#include "millrace/internal/operator.h"
#include "millrace/internal/std_types.h"
#include "millrace/to_text.h"

namespace millrace::detail {

// Rows of one chunk, their text in one buffer.
class RowWriter {
 public:
  // Whatever is appended to the text between these calls is the key, or the value, of the row.
  std::string& text() { return text_; }
  void BeginRow() { rows_.push_back({text_.size(), text_.size(), 0, false}); }
  void EndKey() {
    rows_.back().value = text_.size();
    rows_.back().has_key = true;
  }
  void EndRow() { rows_.back().end = text_.size(); }

  void AddValue(std::string_view value) {
    BeginRow();
    text_ += value;
    EndRow();
  }
  void AddKeyed(const std::optional<std::string>& key, std::string_view value) {
    BeginRow();
    if (key) {
      text_ += *key;
      EndKey();
    }
    text_ += value;
    EndRow();
  }
  // The text of a record; of a pair its first as the key and its second as the value.
  template <class T>
  void AddRecord(const T& record) {
    BeginRow();
    if constexpr (kIsPair<T>) {
      AppendText(text_, record.first);
      EndKey();
      AppendText(text_, record.second);
    } else {
      AppendText(text_, record);
    }
    EndRow();
  }

  void Give(std::uint32_t sink, engine::TaskOutput& output) {
    const std::string_view text = text_;
    given_.clear();
    for (const Row& row : rows_) {
      given_.push_back(
          {text.substr(row.key, row.value - row.key), text.substr(row.value, row.end - row.value), row.has_key});
    }
    if (!given_.empty()) output.Rows(sink, given_);
    rows_.clear();
    text_.clear();
  }

 private:
  struct Row {
    std::size_t key;
    std::size_t value;
    std::size_t end;
    bool has_key;
  };
  std::string text_;
  std::vector<Row> rows_;
  std::vector<engine::SinkRow> given_;
};

// F: void(const T&, RowWriter&), one row a record.
template <class T, class F>
class RowsOperator : public Consumer<T> {
 public:
  RowsOperator(const OperatorSetup& setup, const F& f) : Consumer<T>(setup), f_(f) {}

  void Push(std::span<const T> chunk) override {
    this->Enter();
    for (const T& record : chunk) f_(record, rows_);
    rows_.Give(this->setup().description->id, *this->setup().output);
  }

 private:
  const F& f_;
  RowWriter rows_;
};

// The first `limit` records of the partition as text, and at the end how many there were if that is more.
template <class T>
class ConsoleOperator : public Consumer<T> {
 public:
  ConsoleOperator(const OperatorSetup& setup, std::uint64_t limit) : Consumer<T>(setup), limit_(limit) {}

  void Push(std::span<const T> chunk) override {
    this->Enter();
    for (std::size_t i = 0; i < chunk.size() && total_ + i < limit_; ++i) {
      rows_.BeginRow();
      AppendText(rows_.text(), chunk[i]);
      rows_.EndRow();
    }
    total_ += chunk.size();
    rows_.Give(this->setup().description->id, *this->setup().output);
  }

  void Finish() override {
    if (total_ <= limit_) return;
    const std::string total = std::to_string(total_);
    const engine::SinkRow row{"total", total, true};
    this->setup().output->Rows(this->setup().description->id, {&row, 1});
  }

 private:
  const std::uint64_t limit_;
  std::uint64_t total_ = 0;
  RowWriter rows_;
};

template <class T, class F>
class FunctionOperator : public Consumer<T> {
 public:
  FunctionOperator(const OperatorSetup& setup, const F& f) : Consumer<T>(setup), f_(f) {}

  void Push(std::span<const T> chunk) override {
    this->Enter();
    rows_.Add(chunk);
  }

  // The rows stay: a call that failed may be made again.
  void RunFunction() override {
    this->Enter();
    const engine::TaskContext& task = *this->setup().task;
    BatchContext batch;
    batch.job = task.job;
    batch.batch = task.batch;
    batch.time = std::chrono::sys_time<std::chrono::microseconds>(std::chrono::microseconds(task.batch_time_us));
    batch.stage = task.stage;
    batch.partition = task.partition;
    batch.fence = task.fence;
    rows_.Show([&](std::span<const T> rows) { std::invoke(f_, batch, rows); });
  }

 private:
  const F& f_;
  KeptRecords<T> rows_;
};

}  // namespace millrace::detail
