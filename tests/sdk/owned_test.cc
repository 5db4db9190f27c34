#include "millrace/owned.h"

#include <gtest/gtest.h>

#include <array>

#include "millrace/kafka_record.h"
#include "millrace/message.h"

namespace millrace {
namespace {

template <class A, class B>
constexpr bool kSame = std::is_same_v<A, B>;

struct WithView {
  int number;
  std::string_view text;
};
struct Nested {
  WithView inner;
};
struct Tree {
  std::vector<Tree> children;
};

TEST(OwnedTest, TypesOfStoredRecords) {
  static_assert(kSame<Owned<int>, int>);
  static_assert(kSame<Owned<std::string_view>, std::string>);
  static_assert(kSame<Owned<std::pair<std::string_view, long>>, std::pair<std::string, long>>);
  static_assert(kSame<Owned<std::tuple<int, std::string_view>>, std::tuple<int, std::string>>);
  static_assert(kSame<Owned<std::optional<std::string_view>>, std::optional<std::string>>);
  static_assert(kSame<Owned<std::vector<std::pair<std::string_view, int>>>, std::vector<std::pair<std::string, int>>>);
  static_assert(kSame<Owned<KafkaRecord>, OwnedKafkaRecord>);
}

TEST(OwnedTest, WhatIsOwnedShowsTheSame) {
  std::string text = "some text that is longer than what fits into a string object itself";
  using Record = std::tuple<std::string_view, std::optional<std::string_view>, std::vector<std::string_view>>;
  const Record record(text, std::string_view(text).substr(5), {text, "b"});
  const Owned<Record> owned = ToOwned(record);
  const std::string before = text;
  text.assign(text.size(), '#');
  const Record view = ViewOf<Record>(owned);
  EXPECT_EQ(std::get<0>(view), before);
  EXPECT_EQ(std::get<1>(view), before.substr(5));
  EXPECT_EQ(std::get<2>(view), (std::vector<std::string_view>{before, "b"}));
}

TEST(OwnedTest, TypesWithoutViewsAreNotCopiedToBeShown) {
  const std::pair<std::string, int> record("a", 1);
  EXPECT_EQ(&ViewOf<decltype(record)>(record), &record);
}

TEST(OwnedTest, ViewsInStructsAreFound) {
  static_assert(!detail::kCanBeKept<WithView>);
  static_assert(!detail::kCanBeKept<Nested>);
  static_assert(!detail::kCanBeKept<std::pair<int, WithView>>);
  static_assert(!detail::kCanBeKept<std::span<const int>>);
  static_assert(detail::kCanBeKept<std::pair<std::string_view, int>>);
  static_assert(detail::kCanBeKept<Tree>);
  static_assert(detail::kCanBeKept<std::array<int, 4>>);
  static_assert(detail::kCanBeKept<KafkaRecord>);
}

TEST(OwnedTest, KafkaRecordsKeepTheirBytes) {
  auto topic = std::make_unique<std::string>("clicks");
  auto value = std::make_unique<std::string>("value");
  std::vector<engine::Header> headers = {{"trace", *value}};
  KafkaRecord record{"", *value, *topic, 3, 99, {}, headers};
  OwnedKafkaRecord owned = ToOwned(record);
  topic.reset();
  value.reset();
  headers.clear();
  const OwnedKafkaRecord copy = owned;
  owned = ToOwned(KafkaRecord{});
  EXPECT_EQ(copy.record().topic, "clicks");
  EXPECT_EQ(copy.record().value, "value");
  EXPECT_TRUE(copy.record().key.empty());
  EXPECT_EQ(copy.record().offset, 99);
  ASSERT_EQ(copy.record().headers.size(), 1u);
  EXPECT_EQ(copy.record().headers[0].name, "trace");
  EXPECT_EQ(copy.record().headers[0].value, "value");
}

TEST(OwnedTest, MessagesKeepTheirBytes) {
  static_assert(kSame<Owned<Message>, OwnedMessage>);
  auto value = std::make_unique<std::string>("body");
  std::vector<engine::Header> headers = {{"trace", *value}};
  const OwnedMessage owned = ToOwned(Message{"k", *value, "q", {}, headers});
  value.reset();
  headers.clear();
  EXPECT_EQ(owned.record().value, "body");
  EXPECT_EQ(owned.record().Header("trace"), "body");
  EXPECT_EQ(owned.record().Header("none", "fallback"), "fallback");
}

}  // namespace
}  // namespace millrace
