// The checksum of Kafka's record batches: CRC-32C (Castagnoli). Uses the processor's instruction where it has one.
// Any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace millrace::kafka {

std::uint32_t Crc32c(std::string_view bytes);

}  // namespace millrace::kafka
