#include "driver/artifacts/elf_note.h"

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>

namespace millrace {
namespace {

using ::testing::HasSubstr;

std::string Load(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

template <class Change>
std::string WithHeader(std::string image, Change change) {
  Elf64_Ehdr header;
  std::memcpy(&header, image.data(), sizeof header);
  change(header);
  std::memcpy(image.data(), &header, sizeof header);
  return image;
}

std::string WithText(std::string_view text) {
  std::string image = Load(GOOD);
  const std::size_t at = image.find("abi=7;sdk");
  image.replace(at, 64, std::string(text) + std::string(64 - text.size(), '\0'));
  return image;
}

void ExpectRefused(std::string_view image, std::string_view why) {
  const auto note = ReadJobNote(image);
  EXPECT_TRUE(absl::IsInvalidArgument(note.status())) << why << ": " << note.status();
  EXPECT_THAT(Message(note.status()), HasSubstr(why));
}

TEST(ElfNote, ReadsTheNoteOfARealLibrary) {
  const auto note = ReadJobNote(Load(GOOD));
  ASSERT_TRUE(note.ok()) << note.status();
  EXPECT_EQ(note->abi, 7u);
  EXPECT_EQ(note->sdk, "0.1.0");
  EXPECT_EQ(note->compiler, "GCC 12.2.0");
  EXPECT_EQ(note->job, "wordcount");
  EXPECT_TRUE(CheckCompatible(*note).ok());
}

TEST(ElfNote, RefusesAnotherAbi) {
  const auto note = ReadJobNote(Load(OTHER_ABI));
  ASSERT_TRUE(note.ok()) << note.status();
  const absl::Status status = CheckCompatible(*note);
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(Message(status),
              HasSubstr("built for SDK ABI 9 (SDK 0.9.0); this cluster has ABI 7 (SDK 0.1.0): rebuild the job"));
}

TEST(ElfNote, RefusesWhatIsNoJobLibrary) {
  const std::string good = Load(GOOD);
  ExpectRefused("", "not a shared library");
  ExpectRefused("#!/bin/sh\n", "not a shared library");
  ExpectRefused(
      "\x7f"
      "ELF",
      "truncated");
  ExpectRefused(good.substr(0, 40), "truncated");
  ExpectRefused(good.substr(0, good.size() / 2), "truncated");
  ExpectRefused(WithHeader(good, [](auto& h) { h.e_ident[EI_CLASS] = ELFCLASS32; }), "32-bit");
  ExpectRefused(WithHeader(good, [](auto& h) { h.e_ident[EI_CLASS] = 9; }), "neither 32 nor 64");
  ExpectRefused(WithHeader(good, [](auto& h) { h.e_ident[EI_DATA] = ELFDATA2MSB; }), "little-endian");
  ExpectRefused(WithHeader(good, [](auto& h) { h.e_type = ET_EXEC; }), "a program, not a shared library");
  ExpectRefused(WithHeader(good, [](auto& h) { h.e_type = ET_REL; }), "an object file, not a shared library");
  ExpectRefused(WithHeader(good, [](auto& h) { h.e_type = 77; }), "type 77");
  ExpectRefused(Load(NO_NOTE), "has no MILLRACE_JOB");
  ExpectRefused(Load(TWO_NOTES), "more than one MILLRACE_JOB");
}

TEST(ElfNote, NamesBothArchitectures) {
  const bool intel = WithHeader(Load(GOOD), [](auto&) {})[18] == EM_X86_64;
  const std::string other = WithHeader(Load(GOOD), [&](auto& h) { h.e_machine = intel ? EM_AARCH64 : EM_X86_64; });
  ExpectRefused(other,
                intel ? "is built for aarch64; this cluster runs x86-64" : "is built for x86-64; this cluster runs");
  ExpectRefused(WithHeader(Load(GOOD), [](auto& h) { h.e_machine = 4711; }), "ELF machine 4711");
}

TEST(ElfNote, RefusesASectionTableThatLeadsOutside) {
  const std::string good = Load(GOOD);
  const auto table = "truncated or damaged: the section table";
  ExpectRefused(WithHeader(good, [&](auto& h) { h.e_shoff = good.size() + 1; }), table);
  ExpectRefused(WithHeader(good, [](auto& h) { h.e_shoff = ~std::uint64_t{0} - 10; }), table);
  ExpectRefused(WithHeader(good, [](auto& h) { h.e_shnum = 0xfeff; }), table);
  ExpectRefused(WithHeader(good, [](auto& h) { h.e_shentsize = 63; }), "section header of 63 bytes");
  ExpectRefused(WithHeader(good, [](auto& h) { h.e_shstrndx = h.e_shnum; }), "table of section names");
  ExpectRefused(WithHeader(good, [](auto& h) { h.e_shoff = 0; }), "has no MILLRACE_JOB");
}

TEST(ElfNote, RefusesAMalformedNote) {
  ASSERT_TRUE(ReadJobNote(WithText("abi=7;sdk=0.1.0;job=x")).ok());
  ASSERT_TRUE(ReadJobNote(WithText("future=1;abi=7;sdk=0.1.0;compiler=;job=x")).ok()) << "unknown keys are left alone";
  ExpectRefused(WithText(""), "no abi=NUMBER");
  ExpectRefused(WithText("abi=;sdk=0.1.0;job=x"), "no abi=NUMBER");
  ExpectRefused(WithText("abi=1x;sdk=0.1.0;job=x"), "no abi=NUMBER");
  ExpectRefused(WithText("abi=99999999999;sdk=0.1.0;job=x"), "no abi=NUMBER");
  ExpectRefused(WithText("abi=7;job=x"), "no sdk=VERSION");
  ExpectRefused(WithText("abi=7;sdk=0.1.0"), "job name ''");
  ExpectRefused(WithText("abi=7;sdk=0.1.0;job=a b"), "job name 'a b'");
  ExpectRefused(WithText("abi=7;sdk=0.1.0;job=x\x1b[2J"), "unprintable");
  std::string image = Load(GOOD);
  const std::size_t owner = image.find("Millrace");
  std::string sizes = image;
  sizes[owner - 12] = '\xff';  // size of the owner
  ExpectRefused(sizes, "do not fit");
  sizes = image;
  sizes[owner - 5] = '\x7f';  // highest byte of the description's size
  ExpectRefused(sizes, "do not fit");
  std::string name = image;
  name[owner] = 'B';
  ExpectRefused(name, "no entry of owner Millrace");
}

// Every answer is fine but a crash or a read outside; the copy on the heap lets the address sanitizer see one.
void Try(const std::string& image, std::size_t size) {
  const std::unique_ptr<char[]> copy(new char[size]);
  std::memcpy(copy.get(), image.data(), size);
  const auto note = ReadJobNote(std::string_view(copy.get(), size));
  if (note.ok()) {
    (void)CheckCompatible(*note);
  } else {
    EXPECT_TRUE(absl::IsInvalidArgument(note.status())) << note.status();
  }
}

TEST(ElfNote, EveryTruncationIsAnAnswer) {
  const std::string good = Load(GOOD);
  for (std::size_t size = 0; size < good.size(); ++size) Try(good, size);
}

TEST(ElfNote, EveryFlippedByteOfHeadersIsAnAnswer) {
  const std::string good = Load(GOOD);
  Elf64_Ehdr header;
  std::memcpy(&header, good.data(), sizeof header);
  std::string image = good;
  const auto flip_all = [&](std::size_t from, std::size_t to) {
    for (std::size_t at = from; at < std::min(to, good.size()); ++at) {
      for (const int mask : {0x01, 0x80, 0xff}) {
        image[at] = static_cast<char>(good[at] ^ mask);
        Try(image, image.size());
        image[at] = good[at];
      }
    }
  };
  flip_all(0, sizeof header);
  flip_all(header.e_shoff, header.e_shoff + header.e_shnum * sizeof(Elf64_Shdr));
  flip_all(good.find("Millrace") - 12, good.find("Millrace") + 80);
}

TEST(ElfNote, RandomDamageIsAnAnswer) {
  const std::string good = Load(GOOD);
  std::mt19937_64 random(20240101);
  for (int round = 0; round < 20000; ++round) {
    std::string image = good;
    const auto flips = random() % 16;
    for (std::uint64_t i = 0; i < flips; ++i) {
      // Half of them where the format is: at the beginning and in the section table at the end.
      const std::size_t at =
          random() % 2 ? random() % image.size()
                       : (random() % 2 ? random() % 64
                                       : image.size() - 1 - random() % std::min<std::size_t>(image.size(), 2500));
      image[at] = static_cast<char>(random());
    }
    Try(image, random() % 2 ? image.size() : random() % image.size());
  }
}

}  // namespace
}  // namespace millrace
