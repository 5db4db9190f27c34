#!/usr/bin/env python3
"""Sales as JSON lines, made and checked with Python's json module, which shares no code with Millrace.

  sales.py make N SEED LINES EXPECTED     writes N lines, of which some are bad, and what should come of them
  sales.py check EXPECTED TOTALS BAD      compares; prints "bad=N wrong=N", and on stderr what is wrong
"""
import json
import random
import sys
from collections import Counter

COUNTRIES = ["DE", "FR", "\u00d6sterreich", "C\u00f4te d'Ivoire", "\u65e5\u672c", 'a "b" \\ c', "tab\there", "", "\U0001f30d"]

# How a sale goes bad, and a part of the reason that Millrace must give.
BAD = [
    (lambda s: s[: len(s) // 2], "damaged|no JSON|missing|needed"),
    (lambda s: s + "x", "damaged|no JSON"),
    (lambda s: "", "no JSON"),
    (lambda s: "[1,2]", "an object is needed"),
    (lambda s: "hello", "no JSON|an object is needed|damaged"),
]
BAD_FIELDS = [
    (lambda o: o.pop("id"), "field id, "),
    (lambda o: o.update(id=-1), "field id, "),
    (lambda o: o.update(id=2**64), "field id, "),
    (lambda o: o.update(id=1.5), "field id, "),
    (lambda o: o.update(country=7), "field country, "),
    (lambda o: o.update(country=None), "field country, "),
    (lambda o: o.update(currency="XYZ"), "field currency, "),
    (lambda o: o.update(coupon=[]), "field coupon, "),
    (lambda o: o.update(lines={}), "field lines, "),
    (lambda o: o["lines"].append({"article": "a", "count": 65536, "cents": 1}), ".count, "),
    (lambda o: o["lines"].append({"article": "a", "count": 1}), ".cents, "),
    (lambda o: o["lines"].append({"article": "\n", "count": 1, "cents": 1}), ".article, "),
    (lambda o: o["lines"].append(None), "field lines["),
]


def sale(rng, number):
    lines = [
        {"article": "a%d" % rng.randrange(99), "count": rng.randrange(65536), "cents": rng.randrange(-(10**6), 10**6)}
        for _ in range(rng.randrange(4))
    ]
    made = {"id": number, "country": rng.choice(COUNTRIES), "currency": rng.choice(["EUR", "USD"]), "lines": lines}
    if rng.random() < 0.5:
        made["coupon"] = rng.choice([None, "x", "\"\\\u00e9\x01"])
    if rng.random() < 0.3:
        made["extra"] = {"deep": [1, {"id": "}"}, None, 1e-9, "\u2028"]}
    keys = list(made)
    rng.shuffle(keys)
    return {key: made[key] for key in keys}


def text(rng, value):
    blanks = rng.choice([(",", ":"), (", ", ": "), (" ,\t", " : ")])
    return json.dumps(value, ensure_ascii=rng.random() < 0.5, separators=blanks)


def make(count, seed, lines_path, expected_path):
    rng = random.Random(seed)
    totals, reasons = {}, Counter()
    with open(lines_path, "w", encoding="utf-8", newline="\n") as out:
        for number in range(count):
            made = sale(rng, number)
            kind = rng.random()
            if kind < 0.02:
                spoil, reason = rng.choice(BAD)
                out.write(spoil(text(rng, made)) + "\n")
                reasons[reason] += 1
            elif kind < 0.05:
                spoil, reason = rng.choice(BAD_FIELDS)
                spoil(made)
                out.write(text(rng, made) + "\n")
                reasons[reason] += 1
            else:
                out.write(text(rng, made) + "\n")
                one = totals.setdefault(made["country"], [0, 0])
                one[0] += 1
                one[1] += sum(line["count"] * line["cents"] for line in made["lines"])
    with open(expected_path, "w", encoding="utf-8") as out:
        json.dump({"totals": totals, "bad": sum(reasons.values()), "reasons": reasons}, out)


def check(expected_path, totals_path, bad_path):
    with open(expected_path, encoding="utf-8") as file:
        expected = json.load(file)
    wrong = 0
    totals = {}
    with open(totals_path, encoding="utf-8", newline="\n") as file:
        for line in file:
            row = json.loads(line)
            one = totals.setdefault(row["country"], [0, 0])
            one[0] += row["sales"]
            one[1] += row["cents"]
    for country in sorted(set(totals) | set(expected["totals"])):
        if totals.get(country) != expected["totals"].get(country):
            print(f"{country!r}: {totals.get(country)}, not {expected['totals'].get(country)}", file=sys.stderr)
            wrong += 1
    with open(bad_path, encoding="utf-8", newline="\n") as file:
        bad = [json.loads(line) for line in file]
    places = {(row["partition"], row["offset"]) for row in bad}
    if len(places) != len(bad) or len(bad) != expected["bad"]:
        print(f"{len(bad)} bad records from {len(places)} places, not {expected['bad']}", file=sys.stderr)
        wrong += abs(len(bad) - expected["bad"]) + len(bad) - len(places)
    # Only the kinds that one reason fits are counted; of the others it is enough that one of their reasons is given.
    known = [part for reason in expected["reasons"] for part in reason.split("|")]
    for row in bad:
        if "at byte " not in row["reason"] or not any(part in row["reason"] for part in known):
            print(f"reason: {row['reason']}", file=sys.stderr)
            wrong += 1
    for reason, count in expected["reasons"].items():
        found = sum(reason in row["reason"] for row in bad)
        if reason.startswith("field ") and reason.endswith(", ") and found < count:
            print(f"{found} reasons with {reason!r}, not {count}", file=sys.stderr)
            wrong += 1
    print(f"bad={len(bad)} wrong={wrong}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["make"] and len(sys.argv) == 6:
        make(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5])
    elif sys.argv[1:2] == ["check"] and len(sys.argv) == 5:
        check(*sys.argv[2:])
    else:
        sys.exit(__doc__)
