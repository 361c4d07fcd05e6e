//! Futures that are known by their root, and where each of them trades.

/// Where a future trades, as far as its hours are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Venue {
    /// Index futures of CME on Globex.
    CmeIndex,
    /// Energy and metals of NYMEX and COMEX on Globex.
    CmeEnergyMetals,
    /// Around the clock from Sunday evening to Friday 17:00 in New York, or within that.
    Weekdays,
    /// Every day, or hours that end later than those of New York.
    Other,
}

/// Roots by venue. A text that is one of these roots alone is never taken for a share.
const ROOTS: [(Venue, &[&str]); 4] = [
    (
        Venue::CmeIndex,
        &[
            "ES", "NQ", "YM", "RTY", "EMD", "MES", "MNQ", "MYM", "M2K", "NKD", "NIY",
        ],
    ),
    (
        Venue::CmeEnergyMetals,
        &[
            "CL", "MCL", "QM", "NG", "QG", "MNG", "RB", "HO", "BZ", "GC", "MGC", "QO", "SI", "SIL",
            "QI", "HG", "MHG", "QC", "PL", "PA", "ALI",
        ],
    ),
    (
        Venue::Weekdays,
        &[
            // Currencies, interest rates, grains, livestock and softs.
            "6A", "6B", "6C", "6E", "6J", "6L", "6M", "6N", "6S", "6Z", "M6A", "M6B", "M6E", "E7",
            "J7", "ZB", "ZN", "ZF", "ZT", "ZQ", "TN", "UB", "SR1", "SR3", "ZC", "ZS", "ZW", "ZL",
            "ZM", "ZO", "ZR", "KE", "XC", "XK", "XW", "LE", "HE", "GF", "KC", "SB", "CC", "CT",
            "OJ", "DX", // Eurex, Osaka, Hong Kong and CFE.
            "FDAX", "FDXM", "FDXS", "FESX", "FSXE", "FGBL", "FGBM", "FGBS", "FBTP", "FOAT", "FSMI",
            "FVS", "NK", "NK225M", "TOPX", "MHI", "MCH", "VX", "VXM",
        ],
    ),
    (
        Venue::Other,
        &[
            "BRN", "WBS", "GAS", "BTC", "MBT", "ETH", "MET", "SOL", "XRP",
        ],
    ),
];

/// The venue of a root, if it is known.
pub(super) fn venue_of(root: &str) -> Option<Venue> {
    let mut venues = ROOTS.iter();
    let entry = venues.find(|(_, roots)| roots.contains(&root));
    entry.map(|(venue, _)| *venue)
}
