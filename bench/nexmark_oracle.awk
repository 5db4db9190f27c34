# What a Nexmark query's results add up to, computed from the events as text, without any of Millrace's code. Windows count that
# end at or before the last event.
#
#   millrace_bench_gen nexmark COUNT | awk -F, -v query=5 -f bench/nexmark_oracle.awk
$1 == "B" && query == 1 { sum += ($5 * 908 - $5 * 908 % 1000) / 1000 }
$1 == "B" && query == 2 && $2 % 123 == 0 { sum += $5 }
query == 5 && $1 == "B" {
  slide = int($3 / 2000)
  if (slide != newest) { newest = slide; slides[slide] = 1 }
  ++bids[slide, $2]
  if (!(slide in least) || $2 < least[slide]) least[slide] = $2
  if ($2 > most[slide]) most[slide] = $2
}
query == 7 && $1 == "B" { w = int($3 / 10000); if ($5 > highest[w]) highest[w] = $5 }
query == 8 && $1 == "P" { registered[$2] = int($3 / 10000) }
query == 8 && $1 == "A" && ($4 in registered) && registered[$4] == int($3 / 10000) {
  if (!(($4, registered[$4]) in sold)) { sold[$4, registered[$4]] = 1; ++sellers[registered[$4]] }
}
query == "join" && $1 == "A" { opened[$2] = $3 }
query == "join" && $1 == "B" && ($2 in opened) && $3 - opened[$2] >= 0 && $3 - opened[$2] <= 10000 { ++sum }
{ last = $3 }
END {
  # A sliding window that ends at slide e has the slides e - 5 to e - 1.
  if (query == 5) for (first in slides) for (e = first + 1; e <= first + 5; ++e) ends[e] = 1
  for (e in ends) {
    if (e * 2000 > last) continue
    delete counts
    best = 0
    for (s = e - 5; s < e; ++s) {
      if (!(s in least)) continue
      for (a = least[s]; a <= most[s]; ++a) if ((s, a) in bids) { counts[a] += bids[s, a]; if (counts[a] > best) best = counts[a] }
    }
    sum += best
  }
  for (w in highest) if ((w + 1) * 10000 <= last) sum += highest[w]
  for (w in sellers) if ((w + 1) * 10000 <= last) sum += sellers[w]
  printf "%.0f\n", sum
}
