// What is fetched past librdkafka: batches against a naive reading of them, damaged bytes, and the feed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "executor/connectors/kafka/fetch/crc32c.h"
#include "executor/connectors/kafka/fetch/fetch_protocol.h"
#include "executor/connectors/kafka/fetch/partition_feed.h"
#include "executor/connectors/kafka/fetch/scram.h"
#include "executor/connectors/kafka/fetch/slice_batch.h"
#include "tests/connectors/kafka_batches.h"

namespace millrace::kafka {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

RecordSet Parse(const std::string& bytes, std::int64_t from = 0, std::vector<AbortedTransaction> aborted = {}) {
  auto owned = std::make_shared<const std::string>(bytes);
  return ParseRecordSet(owned, *owned, from, aborted);
}

// "offset:key=value;header=value"
std::vector<std::string> TextsOf(const std::vector<RecordSlice>& slices) {
  SliceBatch batch(std::make_shared<const std::string>("t"), 3, true, slices);
  std::vector<std::string> texts;
  for (auto records = batch.Next(); !records.empty(); records = batch.Next()) {
    for (const engine::SourceRecord& record : records) {
      EXPECT_EQ(record.topic, "t");
      EXPECT_EQ(record.partition, 3u);
      std::string text =
          std::to_string(record.position) + ":" + std::string(record.key) + "=" + std::string(record.value);
      for (std::uint32_t i = 0; i < record.header_count; ++i)
        text += ";" + std::string(record.headers[i].name) + "=" + std::string(record.headers[i].value);
      texts.push_back(std::move(text));
    }
  }
  return texts;
}

std::vector<TestRecord> Numbered(std::int64_t first, std::int64_t count) {
  std::vector<TestRecord> records;
  for (std::int64_t i = first; i < first + count; ++i)
    records.push_back({i, "v" + std::to_string(i), std::nullopt, {}});
  return records;
}

TEST(Crc32cTest, IsWhatTheDefinitionSays) {
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283u);
  std::string bytes;
  for (int i = 0; i < 100; ++i) {
    bytes.push_back(static_cast<char>(i * 37));
    EXPECT_EQ(Crc32c(bytes), SlowCrc32c(bytes));
  }
}

TEST(RecordSetTest, RecordsHaveEverything) {
  const std::string bytes = EncodeBatch({{7, "v", "k", {{"trace", "x"}, {"empty", ""}}}, {9, "", std::nullopt, {}}}, 7);
  const RecordSet set = Parse(bytes);
  ASSERT_TRUE(set.error.ok()) << set.error;
  EXPECT_THAT(TextsOf(set.slices), ElementsAre("7:k=v;trace=x;empty=", "9:="));
  EXPECT_EQ(set.next, 10);
  SliceBatch batch(std::make_shared<const std::string>("t"), 3, false, set.slices);
  const auto records = batch.Next();
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[1].timestamp_us, 1'002'000);
  EXPECT_EQ(records[0].header_count, 0u);
}

TEST(RecordSetTest, EveryCodec) {
  for (const Codec codec : {Codec::kNone, Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd}) {
    std::vector<TestRecord> records = Numbered(0, 3000);
    records[17].value = std::string(700'000, 'x');
    const RecordSet set = Parse(EncodeBatch(records, 0, {.codec = codec}));
    ASSERT_TRUE(set.error.ok()) << NameOf(codec) << ": " << set.error;
    const auto texts = TextsOf(set.slices);
    ASSERT_EQ(texts.size(), 3000u) << NameOf(codec);
    EXPECT_EQ(texts[2999], "2999:=v2999");
  }
}

TEST(RecordSetTest, SnappyAsJavaWritesIt) {
  const std::string plain(100'000, 'y');
  std::string framed("\x82SNAPPY\0\0\0\0\1\0\0\0\1", 16);
  for (std::size_t at = 0; at < plain.size(); at += 32'768) {
    const std::string block = Compress(Codec::kSnappy, plain.substr(at, 32'768));
    framed += WireWriter().I32(static_cast<std::int32_t>(block.size())).bytes() + block;
  }
  EXPECT_EQ(*Decompress(Codec::kSnappy, framed, 1 << 20), plain);
  EXPECT_EQ(Decompress(Codec::kSnappy, framed, 1 << 10).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(RecordSetTest, WhatUnpacksTooLargeIsRefused) {
  for (const Codec codec : {Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd}) {
    const std::string bytes = Compress(codec, std::string(1 << 20, 'z'));
    EXPECT_EQ(Decompress(codec, bytes, 1 << 19).status().code(), absl::StatusCode::kResourceExhausted) << NameOf(codec);
    EXPECT_TRUE(Decompress(codec, bytes, 1 << 20).ok()) << NameOf(codec);
  }
}

TEST(RecordSetTest, BeginsInTheMiddleOfABatchAndEndsBeforeOneThatIsCutOff) {
  const std::string bytes = EncodeBatch(Numbered(10, 5), 10) + EncodeBatch(Numbered(15, 5), 15);
  RecordSet set = Parse(bytes, 13);
  EXPECT_THAT(TextsOf(set.slices),
              ElementsAre("13:=v13", "14:=v14", "15:=v15", "16:=v16", "17:=v17", "18:=v18", "19:=v19"));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    set = Parse(bytes.substr(0, size), 13);
    ASSERT_TRUE(set.error.ok()) << size << ": " << set.error;
    EXPECT_EQ(set.next, size < EncodeBatch(Numbered(10, 5), 10).size() ? 13 : 15);
  }
}

TEST(RecordSetTest, GapsAndEmptyBatchesOfACompactedLog) {
  const std::string bytes = EncodeBatch({{3, "a", {}, {}}, {8, "b", {}, {}}}, 0, {.last_offset = 9}) +
                            EncodeBatch({}, 10, {.last_offset = 19}) + EncodeBatch(Numbered(20, 1), 20);
  RecordSet set = Parse(bytes);
  EXPECT_THAT(TextsOf(set.slices), ElementsAre("3:=a", "8:=b", "20:=v20"));
  EXPECT_EQ(set.next, 21);
  set = Parse(EncodeBatch({}, 10, {.last_offset = 19}), 12);
  EXPECT_THAT(TextsOf(set.slices), IsEmpty());
  EXPECT_EQ(set.next, 20);
}

std::string Marker(std::int64_t offset, std::int64_t producer, bool commit) {
  const std::string key = WireWriter().I16(0).I16(commit ? 1 : 0).bytes();
  return EncodeBatch({{offset, std::string(6, '\0'), key, {}}}, offset, {.flags = 0x30, .producer = producer});
}

TEST(RecordSetTest, AbortedTransactionsAndMarkersAreLeftOut) {
  const auto transactional = [](std::int64_t base, std::int64_t producer) {
    return EncodeBatch(Numbered(base, 2), base, {.flags = 0x10, .producer = producer});
  };
  // Producer 1 aborts and then commits; producer 2 commits between; one without transactions.
  const std::string bytes = transactional(0, 1) + transactional(2, 2) + Marker(4, 1, false) + transactional(5, 1) +
                            EncodeBatch(Numbered(7, 1), 7) + Marker(8, 1, true) + Marker(9, 2, true);
  const RecordSet set = Parse(bytes, 0, {{1, 0}});
  ASSERT_TRUE(set.error.ok()) << set.error;
  EXPECT_THAT(TextsOf(set.slices), ElementsAre("2:=v2", "3:=v3", "5:=v5", "6:=v6", "7:=v7"));
  EXPECT_EQ(set.next, 10);
  // A reader of everything is told of no aborted ones.
  EXPECT_EQ(TextsOf(Parse(bytes, 0).slices).size(), 7u);
}

TEST(RecordSetTest, ADamagedByteIsNeverARecord) {
  const std::string good = EncodeBatch(Numbered(0, 3), 0);
  for (const Codec codec : {Codec::kNone, Codec::kLz4, Codec::kZstd, Codec::kSnappy, Codec::kGzip}) {
    const std::string bytes = good + EncodeBatch(Numbered(3, 50), 3, {.codec = codec});
    for (std::size_t at = good.size(); at < bytes.size(); ++at) {
      std::string bad = bytes;
      bad[at] = static_cast<char>(bad[at] ^ (1 << (at % 8)));
      const RecordSet set = Parse(bad);
      const std::size_t in_batch = at - good.size();
      // The checksum is over what follows it. The offset and the leader's epoch before it are the broker's.
      if (in_batch >= 17) {
        EXPECT_FALSE(set.error.ok()) << NameOf(codec) << ", byte " << in_batch;
      }
      const auto texts = TextsOf(set.slices);
      ASSERT_GE(texts.size(), 3u);
      EXPECT_EQ(texts[2], "2:=v2");
      if (!set.error.ok()) {
        EXPECT_EQ(texts.size(), 3u);
      }
    }
  }
}

TEST(RecordSetTest, ARightChecksumOverNonsenseIsAnErrorToo) {
  std::mt19937 random(7);
  const std::string record = EncodeRecord({0, "value", "key", {{"h", "v"}}}, 0);
  for (int i = 0; i < 20'000; ++i) {
    std::string body = record + record;
    for (int flips = 0; flips < 3; ++flips) body[random() % body.size()] = static_cast<char>(random());
    RecordSlice slice;
    slice.bytes = body;
    slice.records = 2;
    RecordWalker walker(slice);
    engine::SourceRecord out;
    std::vector<engine::Header> headers;
    int count = 0;
    while (walker.Next(out, &headers)) ++count;
    EXPECT_LE(count, static_cast<int>(body.size()));  // it ends, and stays within its bytes (sanitizers look)
  }
}

TEST(RecordSetTest, OldFormatsAreNamed) {
  std::string old(100, '\0');
  old[11] = 80;  // the length of what follows
  old[16] = 1;   // the format
  const RecordSet set = Parse(old);
  EXPECT_EQ(set.error.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(std::string(set.error.message()).find("librdkafka"), std::string::npos);
}

TEST(RecordSetTest, CutsAgreeWithANaiveReading) {
  std::vector<TestRecord> records;
  for (std::int64_t i = 0; i < 40; i += 1 + i % 3) records.push_back({i, "v" + std::to_string(i), {}, {}});
  const RecordSet set = Parse(EncodeBatch(records, 0, {.last_offset = 45}));
  ASSERT_EQ(set.slices.size(), 1u);
  const auto all = TextsOf(set.slices);
  for (std::uint32_t count = 0; count <= records.size(); ++count) {
    const auto [first, second] = CutAfter(set.slices[0], count);
    auto texts = TextsOf({first});
    EXPECT_EQ(texts.size(), count);
    for (const std::string& text : TextsOf({second})) texts.push_back(text);
    EXPECT_EQ(texts, all);
    EXPECT_EQ(first.next_offset, count == 0 ? 0 : count == records.size() ? 46 : records[count - 1].offset + 1);
  }
  for (std::int64_t offset = 0; offset < 50; ++offset) {
    const auto [first, second] = CutBefore(set.slices[0], offset);
    std::uint32_t below = 0;
    for (const TestRecord& record : records) below += record.offset < offset ? 1 : 0;
    EXPECT_EQ(first.records, below);
    EXPECT_EQ(TextsOf({first}).size() + TextsOf({second}).size(), all.size());
  }
}

// ---- the feed ----

struct Rings {
  int count = 0;
  std::function<void()> ring = [this] { ++count; };
};

TEST(PartitionFeedTest, GivesWhatALimitAndAnEndAllow) {
  std::mt19937 random(11);
  for (int round = 0; round < 200; ++round) {
    Rings rings;
    PartitionFeed feed("t", 0, 1 << 20, rings.ring);
    EXPECT_FALSE(feed.Wanted());
    feed.MoveTo(0);
    std::int64_t next = 0;
    std::vector<std::string> got;
    const std::int64_t end = 20 + static_cast<std::int64_t>(random() % 60);
    bool done = false;
    while (!done) {
      if (random() % 2 == 0) {
        const auto want = feed.Wanted();
        ASSERT_TRUE(want);
        EXPECT_EQ(want->offset, next);
        const auto count = static_cast<std::int64_t>(1 + random() % 9);
        feed.Deliver(want->generation, Parse(EncodeBatch(Numbered(next, count), next), next));
        next += count;
      } else {
        const std::uint64_t limit = 1 + random() % 5;
        const auto taken = feed.Take(limit, end);
        EXPECT_LE(taken.records, limit);
        const auto texts = TextsOf(taken.slices);
        EXPECT_EQ(texts.size(), taken.records);
        got.insert(got.end(), texts.begin(), texts.end());
        if (taken.records > 0) {
          EXPECT_EQ(taken.next, static_cast<std::int64_t>(got.size()));
        }
        done = taken.done;
      }
    }
    ASSERT_EQ(got.size(), static_cast<std::size_t>(end));
    EXPECT_EQ(got.back(), std::to_string(end - 1) + ":=v" + std::to_string(end - 1));
  }
}

TEST(PartitionFeedTest, HoldsNoMoreThanItsCapacityAndAnAnswer) {
  Rings rings;
  PartitionFeed feed("t", 0, 100, rings.ring);
  feed.MoveTo(0);
  EXPECT_EQ(rings.count, 1);
  feed.Deliver(feed.Wanted()->generation, Parse(EncodeBatch(Numbered(0, 100), 0)));
  EXPECT_FALSE(feed.Wanted());
  EXPECT_EQ(feed.Take(100).records, 100u);
  EXPECT_EQ(rings.count, 2);  // somebody must hear of the room
  ASSERT_TRUE(feed.Wanted());
  EXPECT_EQ(feed.Wanted()->offset, 100);
}

TEST(PartitionFeedTest, AnAnswerForAPlaceThatWasLeftIsDropped) {
  Rings rings;
  PartitionFeed feed("t", 0, 1 << 20, rings.ring);
  feed.MoveTo(0);
  const auto old = feed.Wanted()->generation;
  feed.MoveTo(50);
  feed.Deliver(old, Parse(EncodeBatch(Numbered(0, 10), 0)));
  feed.Fail(old, absl::UnavailableError("late"), true);
  const auto taken = feed.Take(100);
  EXPECT_EQ(taken.records, 0u);
  EXPECT_TRUE(taken.failure.ok());
  EXPECT_EQ(feed.Wanted()->offset, 50);
}

TEST(PartitionFeedTest, AFailureComesBehindWhatIsHeldAndEndsWithAMove) {
  Rings rings;
  PartitionFeed feed("t", 0, 1 << 20, rings.ring);
  feed.MoveTo(0);
  RecordSet set = Parse(EncodeBatch(Numbered(0, 10), 0));
  set.error = absl::DataLossError("broken");
  feed.Deliver(feed.Wanted()->generation, std::move(set));
  EXPECT_FALSE(feed.Wanted());
  EXPECT_TRUE(feed.Await(1'000, std::chrono::steady_clock::now()));
  EXPECT_EQ(feed.Take(100).records, 10u);
  EXPECT_EQ(feed.Take(100).failure.code(), absl::StatusCode::kDataLoss);
  feed.MoveTo(10);
  EXPECT_TRUE(feed.Take(100).failure.ok());
  EXPECT_FALSE(feed.Await(1'000, std::chrono::steady_clock::now()));
}

// ---- the login ----

// The example of RFC 7677.
TEST(ScramTest, SaysWhatTheStandardSays) {
  ScramClient scram(ScramHash::kSha256, "user", "pencil", "rOprNGfwEbeRWgbNEkqO");
  EXPECT_EQ(scram.First(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
  const auto proof =
      scram.Final("r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
  ASSERT_TRUE(proof.ok()) << proof.status();
  EXPECT_EQ(*proof,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
            "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
  EXPECT_TRUE(scram.Verify("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").ok());
  EXPECT_FALSE(scram.Verify("v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").ok());
  EXPECT_FALSE(scram.Verify("").ok());
}

TEST(ScramTest, AServerThatIsNoneIsRefused) {
  for (const char* first : {"", "r=abc", "r=nonceX,s=!!,i=1", "r=nonceX,s=QUJD,i=0", "r=nonceX,s=QUJD,i=999999999999",
                            "r=other,s=QUJD,i=10", "r=nonce,s=QUJD,i=10"}) {
    ScramClient scram(ScramHash::kSha512, "a,b=c", "secret", "nonce");
    EXPECT_FALSE(scram.Final(first).ok()) << first;
  }
  EXPECT_EQ(ScramClient(ScramHash::kSha512, "a,b=c", "secret", "nonce").First(), "n,,n=a=2Cb=3Dc,r=nonce");
  EXPECT_NE(NewNonce(), NewNonce());
}

// ---- the protocol ----

TEST(FetchProtocolTest, RefusedLoginsAreNamed) {
  const auto refused = DecodeSaslAuthenticate(WireWriter().I16(58).Text("Authentication failed").I32(0).bytes());
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(*DecodeSaslAuthenticate(WireWriter().I16(0).I16(-1).LongBytes("abc").bytes()), "abc");
  EXPECT_FALSE(DecodeSaslAuthenticate("x").ok());
  const absl::Status unknown = DecodeSaslHandshake(WireWriter().I16(33).I32(1).Text("GSSAPI").bytes(), "PLAIN");
  EXPECT_THAT(std::string(unknown.message()), testing::HasSubstr("does not know SASL PLAIN, but GSSAPI"));
  EXPECT_TRUE(DecodeSaslHandshake(WireWriter().I16(0).I32(1).Text("PLAIN").bytes(), "PLAIN").ok());
}

TEST(FetchProtocolTest, TruncatedAnswersAreErrors) {
  WireWriter answer;
  answer.I32(0).I16(0).I32(0).I32(1).Text("topic").I32(1);
  answer.I32(4).I16(0).I64(100).I64(90).I64(0).I32(1).I64(7).I64(5).I32(-1);
  answer.I32(3);
  const std::string bytes = answer.bytes() + "abc";
  const auto good = DecodeFetch(bytes);
  ASSERT_TRUE(good.ok()) << good.status();
  ASSERT_EQ(good->partitions.size(), 1u);
  EXPECT_EQ(good->partitions[0].topic, "topic");
  EXPECT_EQ(good->partitions[0].partition, 4);
  EXPECT_EQ(good->partitions[0].records, "abc");
  ASSERT_EQ(good->partitions[0].aborted.size(), 1u);
  EXPECT_EQ(good->partitions[0].aborted[0].producer, 7);
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(DecodeFetch(bytes.substr(0, size)).ok()) << size;
}

TEST(FetchProtocolTest, CountsThatCannotBeAreErrors) {
  WireWriter answer;
  answer.I32(0).I16(0).I32(0).I32(2'000'000'000);
  EXPECT_FALSE(DecodeFetch(answer.bytes()).ok());
  EXPECT_FALSE(DecodeFetchVersion("HTTP/1.1 400 Bad Request").ok());
}

}  // namespace
}  // namespace millrace::kafka
