//! Where viewers are, from databases on this machine (MMDB), where nothing before this host says it. Addresses are looked up and forgotten.
use std::{net::IpAddr, path::PathBuf};

use maxminddb::Reader;
use serde::Deserialize;

/// A file that is no database of places or networks.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be used as a database of addresses: {reason}; infra/geo gets one", path.display())]
pub struct GeoError {
    path: PathBuf,
    reason: String,
}

/// The databases; none: nothing is known.
#[derive(Default)]
pub(crate) struct Geo {
    databases: Vec<Reader<Vec<u8>>>,
}

/// What is known of an address.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Place {
    /// ISO 3166-1, two letters.
    pub(crate) country: Option<String>,
    /// ISO 3166-2 without the country.
    region: Option<String>,
    /// The autonomous system, as `AS64500`.
    pub(crate) network: Option<String>,
}

/// A record, in the words of any of the usual databases.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Record {
    country: Country,
    country_code: Option<String>,
    subdivisions: Vec<Subdivision>,
    autonomous_system_number: Option<u32>,
    asn: Option<u32>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Country {
    iso_code: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Subdivision {
    iso_code: Option<String>,
}

impl Geo {
    /// Reads databases into memory.
    pub(crate) fn open(paths: &[PathBuf]) -> Result<Self, GeoError> {
        let open = |path: &PathBuf| {
            let refused = |reason: String| GeoError { path: path.clone(), reason };
            let bytes = std::fs::read(path).map_err(|error| refused(error.to_string()))?;
            Reader::from_source(bytes).map_err(|error| refused(error.to_string()))
        };
        Ok(Self { databases: paths.iter().map(open).collect::<Result<_, _>>()? })
    }

    /// What the databases know of an address; the first that knows something counts.
    pub(crate) fn find(&self, address: IpAddr) -> Place {
        let mut place = Place::default();
        for database in &self.databases {
            let found = database.lookup(address.to_canonical()).ok().and_then(|found| found.decode::<Record>().ok().flatten());
            let Some(record) = found else { continue };
            if place.country.is_none() {
                place.country = record.country.iso_code.or(record.country_code);
                place.region = record.subdivisions.into_iter().next().and_then(|region| region.iso_code);
            }
            place.network = place.network.or_else(|| Some(format!("AS{}", record.autonomous_system_number.or(record.asn)?)));
        }
        place
    }
}

impl Place {
    /// The country with its region where that is known, as `DE-BE`.
    pub(crate) fn whole(&self) -> Option<String> {
        let country = self.country.as_ref()?;
        Some(self.region.as_ref().map_or_else(|| country.clone(), |region| format!("{country}-{region}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Vec<u8> {
        [&[0x40 | value.len() as u8], value.as_bytes()].concat()
    }

    fn map(pairs: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let pairs_bytes = pairs.iter().flat_map(|(name, value)| [text(name), value.clone()].concat());
        [0xe0 | pairs.len() as u8].into_iter().chain(pairs_bytes).collect()
    }

    fn number(value: u32) -> Vec<u8> {
        [&[0xc4][..], &value.to_be_bytes()].concat()
    }

    /// A database of IPv4 (MaxMind DB 2.0): one node, whose left half has a record and whose right half has none.
    fn database(record: &[u8]) -> Vec<u8> {
        let node = [0, 0, 1 + 16, 0, 0, 1];
        let short = |value: u16| [&[0xa2][..], &value.to_be_bytes()].concat();
        let metadata = map(&[
            ("binary_format_major_version", short(2)),
            ("binary_format_minor_version", short(0)),
            ("build_epoch", vec![0x01, 0x02, 1]),
            ("database_type", text("test")),
            ("description", map(&[])),
            ("ip_version", short(4)),
            ("languages", vec![0x00, 0x04]),
            ("node_count", number(1)),
            ("record_size", short(24)),
        ]);
        [&node[..], &[0; 16], record, b"\xab\xcd\xefMaxMind.com", &metadata].concat()
    }

    fn open(records: &[Vec<u8>]) -> Geo {
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<PathBuf> = (0..records.len()).map(|n| folder.path().join(n.to_string())).collect();
        for (path, record) in paths.iter().zip(records) {
            std::fs::write(path, database(record)).unwrap();
        }
        Geo::open(&paths).unwrap()
    }

    #[test]
    fn databases_of_different_makers_are_read_together() {
        let region = [&[0x01, 0x04][..], &map(&[("iso_code", text("BE"))])].concat();
        let city = map(&[("country", map(&[("iso_code", text("DE"))])), ("subdivisions", region)]);
        let network = map(&[("country_code", text("FR")), ("autonomous_system_number", number(64_500))]);
        let geo = open(&[city, network]);
        let place = geo.find("10.1.2.3".parse().unwrap());
        assert_eq!(
            (place.whole().as_deref(), place.country.as_deref(), place.network.as_deref()),
            (Some("DE-BE"), Some("DE"), Some("AS64500"))
        );
        assert_eq!(geo.find("::ffff:10.1.2.3".parse().unwrap()), place);
        for unknown in ["200.1.2.3", "2001:db8::1"] {
            assert_eq!(geo.find(unknown.parse().unwrap()), Place::default(), "{unknown}");
        }
    }

    #[test]
    fn what_is_no_database_is_refused_in_a_sentence() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"no database").unwrap();
        let said = Geo::open(&[file.path().to_owned()]).err().unwrap().to_string();
        assert!(said.contains("cannot be used as a database of addresses") && said.contains("infra/geo"), "{said}");
    }
}
