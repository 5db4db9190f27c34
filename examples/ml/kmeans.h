// Streaming k-means with decay: the rule by which a batch of points moves the centres. Pure functions; the job and its
// test both use them, batch by batch, so that one can be held against the other.
//
// Source: Spark's StreamingKMeans, whose rule is  c' = (c n d + x m) / (n d + m),  n' = n d + m  for a centre c of
// weight n, m points of a batch nearest to it with mean x, and the decay d: 1 forgets nothing, 0 knows the last batch
// alone.
#pragma once

#include <array>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

namespace ml {

using Point = std::array<double, 2>;

struct Centre {
  Point at{};
  double weight = 0;
};
using KMeans = std::vector<Centre>;

inline std::size_t Nearest(const KMeans& model, const Point& point) {
  std::size_t best = 0;
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < model.size(); ++i) {
    const double dx = model[i].at[0] - point[0];
    const double dy = model[i].at[1] - point[1];
    if (const double distance = dx * dx + dy * dy; distance < least) {
      least = distance;
      best = i;
    }
  }
  return best;
}

inline KMeans Update(KMeans model, std::span<const Point> points, double decay) {
  if (points.empty()) return model;
  std::vector<Centre> sums(model.size());
  for (const Point& point : points) {
    Centre& sum = sums[Nearest(model, point)];
    sum.at[0] += point[0];
    sum.at[1] += point[1];
    ++sum.weight;
  }
  for (std::size_t i = 0; i < model.size(); ++i) {
    Centre& centre = model[i];
    const double old = centre.weight * decay;
    const double all = old + sums[i].weight;
    if (all > 0) {
      for (std::size_t d = 0; d < 2; ++d) centre.at[d] = (centre.at[d] * old + sums[i].at[d]) / all;
    }
    centre.weight = all;
  }
  return model;
}

}  // namespace ml
