//! Guesses which known word was meant.

/// Returns the known word that is nearest to `word`, if it is near enough to be meant.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(2);
    known
        .into_iter()
        .map(|it| (distance(word, it), it))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, it)| it)
}

/// Returns how many characters must be added, left out, replaced or swapped with their neighbour
/// to make one word of the other (the restricted Damerau-Levenshtein distance).
fn distance(a: &str, b: &str) -> usize {
    let fold = |it: &str| -> Vec<char> {
        let lower = it.chars().flat_map(char::to_lowercase);
        lower.map(|it| if it == '_' { '-' } else { it }).collect()
    };
    let (a, b) = (fold(a), fold(b));
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &y) in b.iter().enumerate() {
            let replaced = above[j] + usize::from(x != y);
            let mut least = replaced.min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && x == b[j - 1] && a[i - 1] == y {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_keyboard_are_near_and_other_words_are_not() {
        let known = ["brokers", "probe-interval", "probe-misses", "user", "name"];
        for (word, guess) in [
            ("broker", Some("brokers")),
            ("borkers", Some("brokers")),
            ("BROKERS", Some("brokers")),
            ("probe_interval", Some("probe-interval")),
            ("probe-mises", Some("probe-misses")),
            ("usr", Some("user")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), guess, "{word}");
        }
    }
}
