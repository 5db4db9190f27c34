#include "millrace/codec_protobuf.h"

#include <gtest/gtest.h>

#include "millrace/v1/plan.pb.h"

namespace millrace {
namespace {

v1::SourceSpec Source() {
  v1::SourceSpec source;
  source.set_connector("generator");
  for (int i = 0; i < 20; ++i) (*source.mutable_options())["option" + std::to_string(i)] = std::to_string(i);
  source.set_bounded(true);
  return source;
}

TEST(CodecProtobufTest, MessagesTravel) {
  const v1::SourceSpec back = FromBytes<v1::SourceSpec>(ToBytes(Source()));
  EXPECT_EQ(back.connector(), "generator");
  EXPECT_EQ(back.options().size(), 20u);
  EXPECT_EQ(back.options().at("option7"), "7");
  EXPECT_TRUE(back.bounded());
}

TEST(CodecProtobufTest, EqualMessagesGiveEqualBytes) {
  v1::SourceSpec other;
  for (int i = 19; i >= 0; --i) (*other.mutable_options())["option" + std::to_string(i)] = std::to_string(i);
  other.set_connector("generator");
  other.set_bounded(true);
  EXPECT_EQ(ToBytes(Source()), ToBytes(other));
}

TEST(CodecProtobufTest, MessagesInsideOtherTypes) {
  const std::pair<std::string, std::vector<v1::SourceSpec>> value = {"k", {Source(), v1::SourceSpec()}};
  const auto back = FromBytes<std::pair<std::string, std::vector<v1::SourceSpec>>>(ToBytes(value));
  ASSERT_EQ(back.second.size(), 2u);
  EXPECT_EQ(back.second[0].connector(), "generator");
  EXPECT_EQ(back.second[1].ByteSizeLong(), 0u);
}

TEST(CodecProtobufTest, DamageIsAnError) {
  const std::string bytes = ToBytes(Source());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THROW(FromBytes<v1::SourceSpec>(bytes.substr(0, size)), CodecError);
  }
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x41);
    try {
      (void)FromBytes<v1::SourceSpec>(damaged);
    } catch (const CodecError&) {
    }
  }
}

}  // namespace
}  // namespace millrace
