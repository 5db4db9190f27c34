#include "executor/connectors/kafka/fetch/fetch_protocol.h"

#include "common/status.h"
#include "executor/connectors/kafka/fetch/wire.h"

namespace millrace::kafka {
namespace {

constexpr std::int16_t kFetchKey = 1;
constexpr std::int16_t kSaslHandshakeKey = 17;
constexpr std::int16_t kApiVersionsKey = 18;
constexpr std::int16_t kSaslAuthenticateKey = 36;
constexpr std::int32_t kMostEntries = 1'000'000;

WireWriter Begin(const FetchSettings& settings, std::int16_t key, std::int16_t version, std::int32_t correlation) {
  WireWriter out;
  out.I32(0).I16(key).I16(version).I32(correlation).Text(settings.client_id);
  return out;
}
std::string Finish(WireWriter& out) {
  out.SetI32(0, static_cast<std::int32_t>(out.size() - sizeof(std::int32_t)));
  return out.bytes();
}

absl::Status Malformed(std::string_view what) {
  return DataLoss("the broker's answer to ", what, " is no valid one; is this a Kafka broker?");
}

// A count of entries, of which each takes some bytes.
bool ReadCount(WireReader& in, std::int32_t& count) {
  count = in.I32();
  return in.ok() && count <= kMostEntries && count <= static_cast<std::int64_t>(in.left());
}

bool ReadPartition(WireReader& in, FetchedPartition& partition) {
  partition.partition = in.I32();
  partition.error = in.I16();
  in.I64();  // high watermark
  in.I64();  // last stable offset
  in.I64();  // log start offset
  std::int32_t aborted = 0;
  if (!ReadCount(in, aborted)) return false;
  for (; aborted > 0; --aborted) {
    AbortedTransaction& one = partition.aborted.emplace_back();
    one.producer = in.I64();
    one.first_offset = in.I64();
  }
  in.I32();  // preferred read replica
  partition.records = in.LongBytes();
  return in.ok();
}

}  // namespace

std::string EncodeFetch(const FetchSettings& settings, const std::vector<WantedPartition>& wanted,
                        std::int32_t max_wait_ms, std::int32_t correlation) {
  WireWriter out = Begin(settings, kFetchKey, kFetchVersion, correlation);
  out.I32(-1).I32(max_wait_ms).I32(settings.min_bytes).I32(settings.max_bytes);
  out.I8(settings.read_committed ? 1 : 0).I32(0).I32(-1);  // no session
  const std::size_t topics_at = out.size();
  std::int32_t topics = 0;
  out.I32(0);
  for (std::size_t i = 0; i < wanted.size();) {
    std::size_t end = i;
    while (end < wanted.size() && wanted[end].topic == wanted[i].topic) ++end;
    out.Text(wanted[i].topic).I32(static_cast<std::int32_t>(end - i));
    for (; i < end; ++i) {
      out.I32(wanted[i].partition).I32(-1).I64(wanted[i].offset).I64(-1).I32(settings.partition_bytes);
    }
    ++topics;
  }
  out.SetI32(topics_at, topics);
  out.I32(0).Text("");  // nothing forgotten, no rack
  return Finish(out);
}

std::string EncodeApiVersions(const FetchSettings& settings, std::int32_t correlation) {
  WireWriter out = Begin(settings, kApiVersionsKey, 0, correlation);
  return Finish(out);
}

std::string EncodeSaslHandshake(const FetchSettings& settings, std::string_view mechanism, std::int32_t correlation) {
  WireWriter out = Begin(settings, kSaslHandshakeKey, 1, correlation);
  out.Text(mechanism);
  return Finish(out);
}

std::string EncodeSaslAuthenticate(const FetchSettings& settings, std::string_view bytes, std::int32_t correlation) {
  WireWriter out = Begin(settings, kSaslAuthenticateKey, 0, correlation);
  out.LongBytes(bytes);
  return Finish(out);
}

absl::Status DecodeSaslHandshake(std::string_view body, std::string_view mechanism) {
  WireReader in(body);
  const std::int16_t error = in.I16();
  std::int32_t count = 0;
  if (!ReadCount(in, count)) return Malformed("SaslHandshake");
  if (error == 0) return absl::OkStatus();
  std::string known;
  for (; count > 0; --count) known += Concat(known.empty() ? "" : ", ", in.Text());
  return FailedPrecondition("the broker does not know SASL ", mechanism, ", but ", known.empty() ? "none" : known,
                            "; see the option sasl");
}

absl::StatusOr<std::string> DecodeSaslAuthenticate(std::string_view body) {
  WireReader in(body);
  const std::int16_t error = in.I16();
  const std::string_view why = in.Text();
  const std::string_view bytes = in.LongBytes();
  if (!in.ok()) return Malformed("SaslAuthenticate");
  if (error == 0) return std::string(bytes);
  return PermissionDenied("the broker refuses user name or password: ", why,
                          "; see the options username and password_file");
}

absl::StatusOr<FetchAnswer> DecodeFetch(std::string_view body) {
  WireReader in(body);
  FetchAnswer answer;
  in.I32();  // throttle time
  answer.error = in.I16();
  in.I32();  // session
  std::int32_t topics = 0;
  if (!ReadCount(in, topics)) return Malformed("Fetch");
  for (; topics > 0; --topics) {
    const std::string_view topic = in.Text();
    std::int32_t partitions = 0;
    if (!ReadCount(in, partitions)) return Malformed("Fetch");
    for (; partitions > 0; --partitions) {
      FetchedPartition partition;
      partition.topic = topic;
      if (!ReadPartition(in, partition)) return Malformed("Fetch");
      answer.partitions.push_back(std::move(partition));
    }
  }
  return answer;
}

absl::StatusOr<std::int16_t> DecodeFetchVersion(std::string_view body) {
  WireReader in(body);
  const std::int16_t error = in.I16();
  std::int32_t count = 0;
  // 35: the broker does not know this version of the request, and tells what it knows all the same.
  if (!ReadCount(in, count) || (error != 0 && error != 35)) return Malformed("ApiVersions");
  std::int16_t highest = -1;
  for (; count > 0; --count) {
    const std::int16_t key = in.I16();
    in.I16();
    const std::int16_t most = in.I16();
    if (key == kFetchKey) highest = most;
  }
  if (!in.ok()) return Malformed("ApiVersions");
  return highest;
}

}  // namespace millrace::kafka
