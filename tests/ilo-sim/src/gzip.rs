//! Bodies that come compressed.

use std::io::Read as _;

use flate2::Compression;
use flate2::read::GzEncoder;

/// The same bytes as a gzip file, which has no time and no name in it: equal bytes stay equal.
pub(crate) fn compressed(body: &[u8]) -> Vec<u8> {
    let mut zipped = Vec::with_capacity(body.len() / 2);
    // Reading from memory into memory has no way to fail.
    let _infallible = GzEncoder::new(body, Compression::fast()).read_to_end(&mut zipped);
    zipped
}

#[cfg(test)]
mod tests {
    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn what_goes_in_comes_out_and_always_the_same() {
        let text = br#"{"Members":[]}"#.repeat(100);
        let zipped = compressed(&text);
        assert!(zipped.len() < text.len() / 10);
        assert_eq!(zipped, compressed(&text));
        let mut back = Vec::new();
        GzDecoder::new(zipped.as_slice()).read_to_end(&mut back).unwrap();
        assert_eq!(back, text);
    }
}
