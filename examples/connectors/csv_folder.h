// A source of one's own: the lines of all files *.csv in a folder that all executors see. A file is a split, a position
// is the number of bytes before a line. Write a file under another name and rename it when it is complete: from then on
// it must not change, so that it can be read again after a failure.
//
//   auto readings = ctx.FromSource(std::make_shared<CsvFolder>("/data/readings", true), {.bounded = true});
//
// Errors: a folder or file that cannot be read is tried again; a line that is no reading fails the job and is quoted.
#pragma once

#include <millrace/custom_source.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "examples/connectors/reading.h"

class CsvReader : public millrace::CustomReader<Reading> {
 public:
  explicit CsvReader(std::filesystem::path path) : path_(std::move(path)) {}

  millrace::ReadEnd Read(std::string_view from, millrace::SourceOutput<Reading>& out) override {
    if (const std::uint64_t offset = millrace::NumberAt(from); !file_.is_open() || offset != at_) GoTo(offset);
    for (std::string line; std::getline(file_, line);) {
      at_ += line.size() + (file_.eof() ? 0 : 1);  // the last line may have no end
      if (!out.Add(ParseReading(line), at_)) return millrace::ReadEnd::kNothingNow;
    }
    if (file_.bad()) throw std::runtime_error("cannot read " + path_.string());
    return millrace::ReadEnd::kEnd;
  }

 private:
  void GoTo(std::uint64_t offset) {
    file_ = std::ifstream(path_, std::ios::binary);
    if (!file_) throw std::runtime_error("cannot open " + path_.string());
    const std::uint64_t size = std::filesystem::file_size(path_);
    bool good = offset <= size;
    if (good && offset > 0 && offset < size) {
      file_.seekg(static_cast<std::streamoff>(offset - 1));
      good = file_.get() == '\n';
    }
    if (!good) {
      throw std::invalid_argument("no line of " + path_.string() + " begins at byte " + std::to_string(offset) +
                                  "; has the file been changed?");
    }
    file_.seekg(static_cast<std::streamoff>(offset));
    at_ = offset;
  }

  const std::filesystem::path path_;
  std::ifstream file_;
  std::uint64_t at_ = 0;
};

class CsvFolder : public millrace::CustomSource<Reading> {
 public:
  // `complete`: no file will come to those that are there.
  CsvFolder(std::filesystem::path folder, bool complete) : folder_(std::move(folder)), complete_(complete) {}

  millrace::CustomSplits ListSplits() override {
    millrace::CustomSplits list{{}, complete_};
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      if (entry.path().extension() == ".csv") list.splits.push_back({entry.path().filename().string(), "0"});
    }
    std::ranges::sort(list.splits, {}, &millrace::CustomSplit::name);
    return list;
  }
  std::unique_ptr<millrace::CustomReader<Reading>> OpenSplit(const std::string& split) override {
    if (split.find('/') != std::string::npos || !std::filesystem::exists(folder_ / split))
      throw std::runtime_error("there is no file " + (folder_ / split).string());
    return std::make_unique<CsvReader>(folder_ / split);
  }

 private:
  const std::filesystem::path folder_;
  const bool complete_;
};
