// How aligned windows (tumbling and sliding) cut time, and where what they hold is kept.
//
// Windows begin at multiples of `slide` and end `size` later. Both are multiples of a slice, the greatest common
// divisor: a record is added to one slice, whatever the number of windows that it is in, and a window is a run of
// slices. A few slices that follow each other are stored together, as one chunk, so that a window of many is found in
// few places. All times here are relative to the windows' offset. Pure functions and plain data.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "millrace/codec.h"
#include "millrace/hash.h"
#include "millrace/internal/event_clock.h"
#include "millrace/owned.h"

namespace millrace {
namespace detail {

struct WindowShape {
  WindowShape(std::int64_t size, std::int64_t slide, std::int64_t offset, std::int64_t lateness, bool chunks)
      : size_us(size),
        slide_us(slide),
        offset_us(offset),
        lateness_us(lateness),
        slice_us(std::gcd(size, slide)),
        chunk_us(slice_us * (chunks ? ChunkSlices(size / slice_us) : 1)) {}

  // The end of the last window that a time is in; the first one is EndAfter(time).
  std::int64_t LastEnd(std::int64_t time) const { return FloorTo(time, slide_us) + size_us; }
  // When the slice that holds a time is given up.
  std::int64_t Expiry(std::int64_t time) const { return LastEnd(time) + lateness_us; }
  bool IsEnd(std::int64_t time) const { return FloorTo(time - size_us, slide_us) == time - size_us; }
  // The first end of a window that is after `time`.
  std::int64_t EndAfter(std::int64_t time) const { return FloorTo(time - size_us, slide_us) + slide_us + size_us; }

  const std::int64_t size_us;
  const std::int64_t slide_us;
  const std::int64_t offset_us;
  const std::int64_t lateness_us;
  const std::int64_t slice_us;
  const std::int64_t chunk_us;

 private:
  // About the square root: then a window is as many chunks as a chunk is slices.
  static std::int64_t ChunkSlices(std::int64_t slices) {
    std::int64_t root = 1;
    while (root < kMostSlices && (root + 1) * (root + 1) <= slices) ++root;
    return root;
  }
  static constexpr std::int64_t kMostSlices = 32;
};

// Of a key, a chunk of time. Its hash is in the key's group.
template <class Key>
struct ChunkKey {
  Key key;
  std::int64_t start_us;
};

// The same to look one up. K may be a view.
template <class K>
struct ChunkKeyRef {
  const K& key;
  std::int64_t start_us;
};

template <class Key, class K>
bool operator==(const ChunkKey<Key>& a, const ChunkKeyRef<K>& b) {
  return a.start_us == b.start_us && KeyEquals(a.key, b.key);
}
template <class Key>
bool operator==(const ChunkKey<Key>& a, const ChunkKey<Key>& b) {
  return a.start_us == b.start_us && KeyEquals(a.key, b.key);
}

// The group is in the high bits, and tables look at the low ones first.
inline std::uint64_t ChunkHash(std::uint64_t key_hash, std::int64_t start_us) {
  const std::uint64_t low = CombineHashes(key_hash, static_cast<std::uint64_t>(start_us));
  return (key_hash & ~std::uint64_t{UINT32_MAX}) | (low & UINT32_MAX);
}

template <class Acc>
struct Slice {
  std::int64_t start_us;
  Acc acc;
};

// The slices of a chunk that hold anything, ascending.
template <class Acc>
struct SliceChunk {
  std::vector<Slice<Acc>> slices;
  std::optional<Acc> total;  // of all slices, once asked for; not stored

  // The slice, or where it belongs.
  typename std::vector<Slice<Acc>>::iterator LowerBound(std::int64_t start_us) {
    auto at = slices.end();
    while (at != slices.begin() && std::prev(at)->start_us >= start_us) --at;  // mostly it is the last
    return at;
  }
};

}  // namespace detail

template <class Key>
inline constexpr bool kPlainAggregate<detail::ChunkKey<Key>> = false;
template <class Acc>
inline constexpr bool kPlainAggregate<detail::SliceChunk<Acc>> = false;

template <class Key>
struct Hasher<detail::ChunkKey<Key>> {
  static std::uint64_t Hash(const detail::ChunkKey<Key>& value) {
    return detail::ChunkHash(HashOf(value.key), value.start_us);
  }
};

template <class Key>
struct Codec<detail::ChunkKey<Key>> {
  static void Encode(const detail::ChunkKey<Key>& value, ByteWriter& out) {
    millrace::Encode(value.key, out);
    out.Signed(value.start_us);
  }
  static detail::ChunkKey<Key> Decode(ByteReader& in) {
    Key key = millrace::Decode<Key>(in);
    return {std::move(key), in.Signed()};
  }
};

template <class K>
struct OwnedTraits<detail::ChunkKeyRef<K>> {
  using Type = detail::ChunkKey<Owned<K>>;
  static Type Own(const detail::ChunkKeyRef<K>& value) { return {OwnedTraits<K>::Own(value.key), value.start_us}; }
};

template <class Acc>
struct Codec<detail::SliceChunk<Acc>> {
  static void Encode(const detail::SliceChunk<Acc>& value, ByteWriter& out) {
    out.Varint(value.slices.size());
    for (const detail::Slice<Acc>& slice : value.slices) {
      out.Signed(slice.start_us);
      millrace::Encode(slice.acc, out);
    }
  }
  static detail::SliceChunk<Acc> Decode(ByteReader& in) {
    detail::SliceChunk<Acc> value;
    for (std::size_t left = in.Count(); left > 0; --left) {
      const std::int64_t start_us = in.Signed();
      value.slices.push_back({start_us, millrace::Decode<Acc>(in)});
    }
    return value;
  }
};

}  // namespace millrace
