// Protobuf messages: generated ones, and fields of ones that only a descriptor tells of.
#include "millrace/formats/protobuf.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "shop.pb.h"

namespace millrace {
namespace {

namespace shop = ::millrace_test_shop;

shop::Click Click() {
  shop::Click click;
  click.mutable_user()->set_name("ann");
  click.set_kind(shop::KIND_CLICK);
  for (int i = 0; i < 3; ++i) {
    shop::Item& item = *click.add_items();
    item.set_name(std::string("n\xff", 2));
    item.set_price(i + 0.5);
    for (int size = 0; size <= i; ++size) item.add_sizes(static_cast<std::uint32_t>(size));
  }
  click.set_time(-1'700'000'000'000);
  for (int i = 0; i < 9; ++i) (*click.mutable_counts())["k" + std::to_string(i)] = i;
  return click;
}

std::string Schema() {
  google::protobuf::FileDescriptorSet files;
  shop::Click::descriptor()->file()->CopyTo(files.add_file());
  return files.SerializeAsString();
}

template <class F>
std::string Why(const F& f) {
  try {
    f();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "read";
}

TEST(ProtobufTest, Generated) {
  const std::string bytes = ToProtobuf(Click());
  EXPECT_EQ(ToProtobuf(ParseProtobuf<shop::Click>(bytes)), bytes);
  EXPECT_EQ(ParseProtobuf<shop::Click>(bytes).items_size(), 3);
  EXPECT_EQ(Why([] { ParseProtobuf<shop::Click>("\x0a\x05x"); }),
            "at byte 0: these 3 bytes are no message millrace_test_shop.Click");
}

TEST(ProtobufTest, ByDescriptor) {
  const ProtobufType type = ProtobufSchema::FromBytes(Schema()).Type("millrace_test_shop.Click");
  const std::string bytes = ToProtobuf(Click());
  const auto [name, id, kind, price, sizes, time] =
      type.Fields<std::string, std::optional<std::int64_t>, int, double, std::vector<std::uint8_t>, std::int64_t>(
          bytes, {"user.name", "user.id", "kind", "items[1].price", "items[2].sizes", "time"});
  EXPECT_EQ(name, "ann");
  EXPECT_EQ(id, std::nullopt);
  EXPECT_EQ(kind, 1);
  EXPECT_EQ(price, 1.5);
  EXPECT_EQ(sizes, (std::vector<std::uint8_t>{0, 1, 2}));
  EXPECT_EQ(time, -1'700'000'000'000);
  EXPECT_EQ(type.Field<shop::Kind>(bytes, "kind"), shop::KIND_CLICK);
  EXPECT_EQ(type.Field<std::string>(bytes, "items[0].name"), "n\xff");
  EXPECT_EQ(type.Field<std::int64_t>(bytes, "user.id"), 0);
  EXPECT_FALSE(type.Field<bool>(bytes, "paid"));
  EXPECT_EQ(type.Field<std::optional<double>>(bytes, "items[3].price"), std::nullopt);
  EXPECT_EQ(type.Field<std::optional<std::string>>("", "user.name"), std::nullopt);
}

TEST(ProtobufTest, BadRecordsAndWrongUse) {
  const ProtobufSchema schema = ProtobufSchema::FromBytes(Schema());
  const ProtobufType type = schema.Type("millrace_test_shop.Click");
  const std::string bytes = ToProtobuf(Click());
  EXPECT_EQ(
      Why([&] { type.Field<std::uint64_t>(bytes, "time"); }),
      "field time, at byte 0: a whole number from 0 to 18446744073709551615 is needed, and there is -1700000000000");
  EXPECT_EQ(Why([&] { type.Field<double>(bytes, "items[3].price"); }),
            "field items[3].price, at byte 0: the message or element on the way to this field is missing");
  EXPECT_NE(Why([&] { type.Field<int>("\x0a\x05x", "time"); }).find("are no message"), std::string::npos);
  for (const char* path : {"", ".", "nowhere", "user.", "user.x", "time.x", "time[0]", "items.price", "items", "items[",
                           "items[x].price", "items[-1].price", "items[0]price", "user", "user.name"}) {
    EXPECT_THROW(type.Field<int>(bytes, path), std::invalid_argument) << path;
    EXPECT_THROW(type.Field<int>("", path), std::exception) << path;
  }
  EXPECT_THROW(schema.Type("Click"), std::invalid_argument);
  EXPECT_THROW(ProtobufSchema::FromBytes(""), std::invalid_argument);
  EXPECT_THROW(ProtobufSchema::FromBytes("\x0a\xffx"), std::invalid_argument);
  EXPECT_THROW(ProtobufSchema::FromFile("/nowhere/x.desc"), std::invalid_argument);
  google::protobuf::FileDescriptorSet lacking;
  shop::Click::descriptor()->file()->CopyTo(lacking.add_file());
  lacking.mutable_file(0)->add_dependency("other.proto");
  EXPECT_NE(Why([&] { ProtobufSchema::FromBytes(lacking.SerializeAsString()); }).find("--include_imports"),
            std::string::npos);
}

TEST(ProtobufTest, RandomDamage) {
  const ProtobufType type = ProtobufSchema::FromBytes(Schema()).Type("millrace_test_shop.Click");
  const std::string good = ToProtobuf(Click());
  std::mt19937 random(1);
  std::size_t refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = good.substr(0, i % 3 == 0 ? random() % good.size() : good.size());
    for (std::size_t n = 1 + random() % 3; n > 0 && !bytes.empty(); --n) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    const std::vector<char> exact(bytes.begin(), bytes.end());
    try {
      type.Fields<std::optional<std::string>, std::optional<std::uint8_t>>({exact.data(), exact.size()},
                                                                           {"user.name", "items[2].sizes[1]"});
    } catch (const FormatError&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 1000U);
}

TEST(ProtobufTest, ManyThreads) {
  const std::string bytes = ToProtobuf(Click());
  std::vector<std::thread> threads;
  {
    const ProtobufType type = ProtobufSchema::FromBytes(Schema()).Type("millrace_test_shop.Click");
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([type, &bytes] {
        for (int i = 0; i < 2000; ++i) EXPECT_EQ(type.Field<std::string>(bytes, "user.name"), "ann");
      });
    }
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace millrace
