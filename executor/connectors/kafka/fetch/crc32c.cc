#include "executor/connectors/kafka/fetch/crc32c.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#endif

namespace millrace::kafka {
namespace {

constexpr std::uint32_t kPolynomial = 0x82f63b78;  // reflected

constexpr std::array<std::uint32_t, 256> MakeTable() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? kPolynomial : 0);
    table[i] = value;
  }
  return table;
}
constexpr std::array<std::uint32_t, 256> kTable = MakeTable();

[[maybe_unused]] std::uint32_t ByTable(std::uint32_t crc, const char* at, const char* end) {
  for (; at < end; ++at) crc = (crc >> 8) ^ kTable[(crc ^ static_cast<unsigned char>(*at)) & 0xff];
  return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t ByInstruction(std::uint32_t crc, const char* at, const char* end) {
  std::uint64_t wide = crc;
  for (; end - at >= 8; at += 8) {
    std::uint64_t word;
    std::memcpy(&word, at, sizeof word);
    wide = _mm_crc32_u64(wide, word);
  }
  crc = static_cast<std::uint32_t>(wide);
  for (; at < end; ++at) crc = _mm_crc32_u8(crc, static_cast<unsigned char>(*at));
  return crc;
}
std::uint32_t Extend(std::uint32_t crc, const char* at, const char* end) {
  static const bool kThere = __builtin_cpu_supports("sse4.2") != 0;
  return kThere ? ByInstruction(crc, at, end) : ByTable(crc, at, end);
}
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
std::uint32_t Extend(std::uint32_t crc, const char* at, const char* end) {
  for (; end - at >= 8; at += 8) {
    std::uint64_t word;
    std::memcpy(&word, at, sizeof word);
    crc = __crc32cd(crc, word);
  }
  for (; at < end; ++at) crc = __crc32cb(crc, static_cast<unsigned char>(*at));
  return crc;
}
#else
std::uint32_t Extend(std::uint32_t crc, const char* at, const char* end) { return ByTable(crc, at, end); }
#endif

}  // namespace

std::uint32_t Crc32c(std::string_view bytes) {
  return ~Extend(~std::uint32_t{0}, bytes.data(), bytes.data() + bytes.size());
}

}  // namespace millrace::kafka
