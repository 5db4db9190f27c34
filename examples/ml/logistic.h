// Online logistic regression: one step of stochastic gradient descent a sample. Pure functions, used by the job and by
// its test. The gradient of the log loss of sample (x, y) is (sigma(w x) - y) x.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>

namespace ml {

using Features = std::array<double, 3>;  // the last one is 1: the bias

struct Sample {
  Features x{};
  int label = 0;  // 0 or 1
};

struct Logistic {
  Features weights{};
};

inline double Probability(const Logistic& model, const Features& x) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += model.weights[i] * x[i];
  return 1 / (1 + std::exp(-sum));
}

inline void Learn(Logistic& model, const Sample& sample, double rate) {
  const double error = Probability(model, sample.x) - sample.label;
  for (std::size_t i = 0; i < sample.x.size(); ++i) model.weights[i] -= rate * error * sample.x[i];
}

}  // namespace ml
