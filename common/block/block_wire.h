// Blocks to and from the messages that carry them (v1::Block between runners) and store them (durable::StoredBlock on
// disk). Whatever is taken as an rvalue gives its data away without a copy; nothing is checked here: what comes from
// outside goes through VerifyBlock. Plain functions, no state.
#pragma once

#include <memory>

#include "common/block/block.h"
#include "millrace/v1/block.pb.h"
#include "millrace/v1/durable.pb.h"

namespace millrace {

v1::Block ToWire(Block&& block);
// Copies the data: a shared block stays as it is.
v1::Block ToWire(const Block& block);
// Key fields only, as in PushReply.resend.
v1::Block ToWire(const BlockKey& key);

// Covers what the blocks' own checksums do not.
std::uint64_t PushCheck(const v1::PushRequest& request);

BlockKey KeyFromWire(const v1::Block& message);
std::shared_ptr<const Block> FromWire(v1::Block&& message);

v1::durable::StoredBlock ToStored(const Block& block);
std::shared_ptr<const Block> FromStored(const BlockKey& key, v1::durable::StoredBlock&& message);

}  // namespace millrace
