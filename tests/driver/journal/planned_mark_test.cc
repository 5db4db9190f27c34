#include "driver/journal/planned_mark.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/common/io/scratch.h"

namespace millrace {
namespace {

using testing::ScratchDirectory;

TEST(PlannedMark, TellsTheNewestBatchAlsoToTheNextProcess) {
  ScratchDirectory dir;
  const std::string path = dir / "journal.planned";
  EXPECT_EQ(ReadPlannedMark(path), std::nullopt);
  {
    PlannedMark mark(path);
    mark.Note(0);
    EXPECT_FALSE(std::filesystem::exists(path)) << "nothing is planned yet";
    mark.Note(7);
    mark.Note(5);
    EXPECT_EQ(ReadPlannedMark(path), 7u);
  }
  PlannedMark next(path);
  next.Note(8);
  EXPECT_EQ(ReadPlannedMark(path), 8u);
}

TEST(PlannedMark, ADamagedOneSaysNothing) {
  ScratchDirectory dir;
  const std::string path = dir / "mark";
  PlannedMark(path).Note(7);
  for (std::streamoff at = 0; at < 16; ++at) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(at);
    const char byte = static_cast<char>(file.get());
    file.seekp(at).put(static_cast<char>(byte ^ 4)).flush();
    EXPECT_EQ(ReadPlannedMark(path), std::nullopt) << at;
    file.seekp(at).put(byte);
  }
  EXPECT_EQ(ReadPlannedMark(path), 7u);
  std::filesystem::resize_file(path, 15);
  EXPECT_EQ(ReadPlannedMark(path), std::nullopt);
}

TEST(PlannedMark, AFolderThatIsGoneIsNotItsBusiness) {
  PlannedMark mark("/nowhere/at/all/mark");
  mark.Note(3);
  EXPECT_EQ(ReadPlannedMark("/nowhere/at/all/mark"), std::nullopt);
}

}  // namespace
}  // namespace millrace
