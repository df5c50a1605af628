//! An amount of memory on the command line.

use std::str::FromStr;

/// A number of bytes with an optional unit: `512M`, `4G`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory(pub u64);

impl FromStr for Memory {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let fail = || {
            format!(
                "`{text}` is no amount of memory: expected a number with a unit, such as 512M or 4G"
            )
        };
        let text = text.trim();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let unit = unit.trim().to_ascii_uppercase();
        let unit = unit
            .strip_suffix("IB")
            .or(unit.strip_suffix('B'))
            .unwrap_or(&unit);
        let shift = match unit {
            "" => 0,
            "K" => 10,
            "M" => 20,
            "G" => 30,
            "T" => 40,
            _ => return Err(fail()),
        };
        let bytes = number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(1 << shift));
        bytes.filter(|&bytes| bytes > 0).map(Self).ok_or_else(fail)
    }
}

#[cfg(test)]
mod tests {
    use super::Memory;

    #[test]
    fn memory_is_a_number_and_a_unit() {
        let cases = [
            ("4G", Some(4 << 30)),
            ("512M", Some(512 << 20)),
            ("512 MiB", Some(512 << 20)),
            ("64kb", Some(64 << 10)),
            ("1000000", Some(1_000_000)),
            ("1T", Some(1 << 40)),
            ("", None),
            ("G", None),
            ("0", None),
            ("-1G", None),
            ("1.5G", None),
            ("4X", None),
            ("99999999999999999999", None),
            ("18446744073709551615G", None),
        ];
        for (text, bytes) in cases {
            assert_eq!(text.parse().ok(), bytes.map(Memory), "{text}");
        }
    }
}
