"""Published figures of mineral metabolism, and where each counts as met."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """A published figure. `low` and `high`: its SD, IQR or interval, else 15 % either way."""

    name: str
    value: float
    unit: str
    source: str
    low: float | None = None
    high: float | None = None
    weight: float = 1.0  # in the calibration; 0: never fitted, looked at afterwards only
    recalled: bool = False

    @property
    def bounds(self) -> tuple[float, float]:
        """Where the model's figure counts as met."""
        low, high = sorted((0.85 * self.value, 1.15 * self.value))
        return low if self.low is None else self.low, high if self.high is None else self.high


KIDNEY_BLOOD_PRESS = "doi:10.1159/000487108"
PIRKLBAUER = "doi:10.3389/fmed.2021.704970"
JAMA = "Block, JAMA 2017;317:146"
TRIALS = "21 trials, doi:10.1186/s12882-019-1639-9"
WETMORE = "Wetmore 2016, 1402 patients"
HUNGRY = "doi:10.1186/s12882-016-0421-5"
NEEDED = "PMID 18758187"
EVENEPOEL = "doi:10.2215/CJN.01310308"
LONDEN = "doi:10.2215/CJN.10270916"
FHN = "doi:10.1681/ASN.2011070688"
CARE = "CARE, Kidney Int 2004;65:1914"
SALTS = "12 trials, doi:10.1002/14651858.CD006023.pub2"
BATH = "doi:10.1097/00002480-200301000-00011"
POOR_BATH = "35 patients, doi:10.1681/asn.v61132"
BATH_TRIALS = "7 randomised trials, doi:10.1038/s41598-018-23658-y"
SEOUL_BATH = "20 patients, Kim, Korean J Intern Med 2011;26(3)"
ADENOMAS = "10,000 patients, doi:10.4158/EP09346.OR"
LOW_DOSE = "21 patients, PTH (amino-terminal) 100 to 48 +- 6 %, 1992, acemap.info/paper/76152000"
RISING = "22 patients, PMID 10749297"
PERRIN = "143 patients, doi:10.1111/ajt.12425"
EARLY_GRAFT = "201 patients, doi:10.2215/CJN.03920808: rises after the first week"
RAPID = "130 patients, 82 % below 8.4 within 72 h, doi:10.1080/0886022X.2020.1841655"
PARFITT = "50 patients, doi:10.1001/archinte.1969.00300190009003"
# 53 % of 282 (95 % interval 47 to 59) below 8.4 mg/dL: the median, where calcium spreads by 0.8
LOW_LATE = "53 % of 282 below 8.4, abstract MO812"
# density a year after the operation: +6.4 % at the radius, +15.6 % at the lumbar spine
YANO = "15 patients, doi:10.1055/s-2003-39483"
COHORT = "2926 patients, doi:10.1038/s41598-018-29757-0"
ARMAS = "doi:10.2215/CJN.08610812"
HEANEY = "women, meals, doi:10.1002/jbmr.5650051107"
# mean 351 +- 292 of those without a binder: the median of a log-normal of that SD
QUNIBI = "placebo arm of 110, doi:10.1186/1471-2369-12-9"

AGAR = "Agar 2011, after 4 h"
STREMKE = "33P, Stremke 2021"
MARTIN = "18 healthy, Martin 2011"
SHORT = "21 patients: 1.99 to 1.27 mmol/L, PTH 44.2 to 21.4 pmol/L"
COSMOS = "6797 patients, COSMOS, Nephrol Dial Transplant: 5.5 and 5.2 mg/dL"
SIGRIST = "100 patients, doi:10.1093/ndt/gfh874"
HOURS = "doi:10.1111/sdi.12439"
GALLIENI = "19 patients, Gallieni, J Nephrol 2001;14:176"
CROSSOVER = "84 patients, sevelamer prescribing information"
YEAR = "94 patients, sevelamer prescribing information"
EMMETT = "91 patients, Emmett, Am J Kidney Dis 1991"
IRON = "26 patients, ExplorIRON-CKD, median and quartile range"
BORRELLI = "543 patients, doi:10.1371/journal.pone.0202417"
# 8.1 and 13.0 pmol/L (9.43 pg/mL each) at 40-60 and 20-40 mL/min
REICHEL = "63 patients, Reichel and Deibert, Nephrol Dial Transplant 1991"
# 38.3 % at or above 70 pg/mL at 30-44 mL/min, where 39.3 is the mean and 8.2 % are from 60 on
NHANES = "38 % from 70 on, PMID 19019998"
IMPROVE = "278 patients, doi:10.1681/ASN.2020040411"
MURTAUGH = "1105 adults, doi:10.1093/ndt/gfr367"
SEEK = "Levin, Kidney Int 2007;71:31; recalled"
# just before haemodialysis 23 % of 2728 to 150 pg/mL, 53 % to 300: the median, log-linear between;
# at 7.2 mL/min in 446 others who started, doi:10.1371/journal.pone.0188309
DOPPS = "2728 patients, doi:10.1093/ndt/gfaa195"
ALTERNATE = "24 patients, Masterson, Hemodial Int"
CAPD = "103 patients, Am J Kidney Dis 1995;25:452"
JOFRE = "148 patients, Jofre, KI 2003;63 S85:97"

TARGETS = [
    Target(
        "usual HD: phosphate", 5.6, "mg/dL", "between USRDS 6.2 and DOPPS; recalled", recalled=True
    ),
    Target("usual HD: calcium", 9.4, "mg/dL", COHORT, 8.6, 10.2, weight=6),
    Target("usual HD: PTH (typical patient)", 220, "pg/mL", "recalled", recalled=True),
    Target("usual HD: FGF23", 763, "pg/mL", "doi:10.5812/numonthly.84296", 456.6, 1430.3),
    Target("usual HD: calcitriol", 12, "pg/mL", "recalled", recalled=True, weight=0.3),
    Target("usual HD: phosphate after the long gap, above midweek", 5.8, "%", COSMOS),
    # 0.14 of 1.45 mmol/L, P = 0.0005: twice the error that this leaves either way
    Target("usual HD: phosphate after the long gap, above others", 9.7, "%", SIGRIST, 4.3, 15),
    Target("session: phosphate fall at 1 h", 47.4, "%", KIDNEY_BLOOD_PRESS, 33.1, 61.7, weight=2),
    Target("session: phosphate fall at 4 h", 45.1, "%", KIDNEY_BLOOD_PRESS, 34.3, 55.9, weight=2),
    Target(
        "session: phosphorus in first hour, pre 4.7",
        194,
        "mg",
        KIDNEY_BLOOD_PRESS,
        145,
        242,
        weight=2,
    ),
    Target("session: share of first hour", 25, "%", KIDNEY_BLOOD_PRESS, weight=0.5),
    Target("session: phosphorus removed, pre < 5.5", 776, "mg", KIDNEY_BLOOD_PRESS, 580, 784),
    Target("session: phosphorus removed, pre >= 5.5", 975, "mg", KIDNEY_BLOOD_PRESS, 587, 1354),
    Target("session: phosphate at 4 h / 3 h", 1.02, "-", "Poleszczuk 2016: above 1", 1.0, 1.2, 2),
    Target("5 h session: phosphorus removed", 24, "mmol", "PMID 1751238", 20, 28),
    Target("5 h session: end phosphate", 0.85, "mmol/L", "PMID 1751238", 0.8, 0.9),
    Target("5 h session: share of first 2 h", 0.5, "-", "PMID 1751238", weight=2),
    Target("8 h for 4 h at equal eKt/V: phosphorus removed", 1.42, "-", "PMID 22776782", weight=0),
    Target("dialysate Ca 1.75: calcium gained by diffusion", 488, "mg", PIRKLBAUER, 354, 622),
    Target("dialysate Ca 1.75: PTH fall", 75, "%", PIRKLBAUER, 67.5, 82.5),
    Target(
        "dialysate Ca 1.25: calcium removed",
        5.6,
        "mmol",
        "doi:10.4061/2011/540592: removal",
        0,
        15,
        weight=0.3,
    ),
    Target("phosphate mobilisation clearance", 99, "mL/min", AGAR, 52, 146),
    Target("central phosphate volume", 11.9, "L", AGAR, 8.1, 15.7),
    Target("healthy: phosphate absorbed", 0.62, "-", STREMKE),
    Target("CKD 3: phosphate absorbed", 0.69, "-", STREMKE),
    Target("meal of 375 mg P: less absorbed with sevelamer 2.4 g", 59.9, "mg", MARTIN),
    Target("meal of 375 mg P: less absorbed with lanthanum 1 g", 125.7, "mg", MARTIN),
    Target("haemodialysis: calcium absorbed of a meal's", 12, "%", ARMAS, 7, 17),
    Target("healthy: calcium absorbed of 500 mg", 28.6, "%", HEANEY, weight=2),
    Target("calcium acetate against sevelamer: calcium", 0.63, "mg/dL", CARE, weight=2),
    Target("calcium acetate against sevelamer: phosphate", -1.08, "mg/dL", CARE),
    Target("calcium acetate against sevelamer: Ca x P", -6.1, "mg2/dL2", CARE),
    Target("calcium salts against sevelamer, a year: PTH", -56, "pg/mL", SALTS, -84, -26, weight=2),
    Target("dialysate Ca 1.5 to 1.75, 10 mo: calcium", 0.56, "mg/dL", BATH, weight=0.5),
    Target("dialysate Ca 1.5 to 1.75, 10 mo: PTH", -58, "%", BATH, weight=0.5),
    Target("dialysate Ca 1.75 to 1.25, a year: PTH", 78, "%", POOR_BATH, weight=0.5),
    Target("dialysate Ca 1.75 to 1.25, a year: ALP", 57, "%", POOR_BATH, weight=0.3),
    Target("dialysate Ca 1.75 to 1.5, 6 mo: calcium", -0.5, "mg/dL", SEOUL_BATH, weight=0.5),
    Target("dialysate Ca 1.25 against 1.75: calcium", -0.52, "mg/dL", BATH_TRIALS, -0.85, -0.20, 2),
    Target("dialysate Ca 1.25 against 1.75: PTH", 39.6, "pg/mL", BATH_TRIALS, 14.8, 64.4, 2),
    Target("calcitriol 2.8 ug/wk i.v., a year: calcium", 0.8, "mg/dL", LOW_DOSE, weight=0.5),
    Target("calcitriol 2.8 ug/wk i.v., a year: PTH", -52, "%", LOW_DOSE, -58, -46, 0.5),
    Target("calcitriol 3 to 6 ug/wk i.v., 3 mo: PTH", -61, "%", RISING, -75, -45),
    Target(
        "calcitriol 3 to 6 ug/wk i.v., 3 mo: phosphate", 0.75, "mg/dL", RISING, 0, 1.5, weight=0.5
    ),
    Target("frequent HD, binder -1.35 g: change of phosphate", -0.46, "mg/dL", FHN, -0.78, -0.13),
    Target(
        "nocturnal HD 5.5 x 7 h: change of phosphate",
        -1.52,
        "mg/dL",
        "doi:10.1111/j.1542-4758.2009.00418.x",
        -2.29,
        -0.74,
    ),
    Target("FHN nocturnal, no binder: phosphate", -1.24, "mg/dL", FHN, -1.79, -0.68, weight=0),
    Target(
        "alternate nights, dialysate Ca 1.3: ionised calcium",
        -0.12,
        "mmol/L",
        ALTERNATE,
        -0.18,
        -0.06,
        weight=0,
    ),
    Target("alternate nights, dialysate Ca 1.3: PTH", 151, "pg/mL", ALTERNATE, 33, 269, weight=0),
    Target("CAPD, dialysate Ca 1.0 against 1.75: calcium", -0.48, "mg/dL", CAPD, weight=0),
    Target(
        "short daily 5.3 x 2.63 h, start 6.16: phosphate",
        -2.2,
        "mg/dL",
        SHORT,
        weight=0.3,
    ),
    Target("short daily 5.3 x 2.63 h, a year: PTH", -52, "%", SHORT, weight=0.3),
    Target("dialysis for phosphate 5.5 without binder", 24, "h/wk", HOURS, 18, 30),
    Target(
        "binder washout: rise of phosphate", 1.8, "mg/dL", "recalled", recalled=True, weight=0.3
    ),
    Target(
        "lanthanum 3 g, healthy: fall of urine phosphorus",
        350,
        "mg/d",
        "doi:10.3109/0886022X.2011.649657",
        236,
        468,
    ),
    Target("sevelamer 4.9 g, 8 wk, from 8.4: phosphate", -2.0, "mg/dL", CROSSOVER, -2.5, -1.5),
    Target("sevelamer 6.5 g, 52 wk, from 7.5: phosphate", -2.1, "mg/dL", YEAR, weight=0),
    Target("sevelamer 3.1 g, 6 wk, from 7.4: phosphate", -2.0, "mg/dL", GALLIENI, weight=0),
    Target("then none for 2 wk: phosphate", 1.7, "mg/dL", GALLIENI, weight=0),
    Target("calcium acetate 3.9 g, a month, from 7.4: phosphate", -1.5, "mg/dL", EMMETT, weight=0),
    Target("calcium acetate 3.9 g, a month: calcium", 0.6, "mg/dL", EMMETT, weight=0),
    Target("calcium acetate 6.9 g, 3 mo: phosphate", -2.2, "mg/dL", EMMETT, weight=0),
    Target("calcium acetate 6.9 g, 3 mo: calcium", 0.8, "mg/dL", EMMETT, weight=0),
    Target("secondary HPT: calcium", 9.6, "mg/dL", JAMA, weight=2),
    Target("secondary HPT: phosphate", 5.9, "mg/dL", JAMA),
    Target("secondary HPT: PTH", 849, "pg/mL", JAMA, weight=2),
    Target("etelcalcetide 26 wk: PTH", -54.8, "%", JAMA, weight=2),
    Target("etelcalcetide 26 wk: calcium", -8, "%", "recalled", -10, -4, recalled=True),
    Target(
        "etelcalcetide 26 wk: phosphate", -7, "%", "recalled", -12, -2, recalled=True, weight=0.5
    ),
    Target("cinacalcet 6 mo: PTH", -43, "%", "romj.org/2013-0309", -55, -37, weight=2),
    Target("cinacalcet 6 mo: Ca x P", -13, "%", "romj.org/2013-0309"),
    Target("calcimimetic against control: calcium", -0.92, "mg/dL", TRIALS, -0.98, -0.85, weight=2),
    Target("calcimimetic against control: Ca x P", -5.97, "mg2/dL2", TRIALS, -9.77, -2.16),
    Target("before PTX: calcium", 9.6, "mg/dL", WETMORE, weight=2),
    Target("before PTX: phosphate", 6.8, "mg/dL", WETMORE, weight=2),
    Target("before PTX: PTH", 1661, "pg/mL", WETMORE, weight=2),
    Target("refractory HPT, PTH 1401: calcium", 10.6, "mg/dL", JOFRE, 9.8, 11.4),
    Target("PTX 3 d: calcium", 7.9, "mg/dL", RAPID, 7.4, 8.4),
    Target("PTX 1 mo: PTH", 98, "pg/mL", WETMORE),
    Target("PTX 1 mo: calcium", 7.9, "mg/dL", WETMORE, weight=2),
    Target("PTX 1 mo: phosphate", 3.8, "mg/dL", WETMORE, weight=2),
    Target("PTX 12 mo: phosphate", 5.8, "mg/dL", WETMORE),
    Target("PTX 12 mo: calcium", 8.35, "mg/dL", LOW_LATE, 8.2, 8.5, weight=1.5),
    Target("PTX 12 mo: gain of bone mineral", 11, "%", YANO, 6.4, 15.6),
    Target("PTX: week of lowest calcium", 2, "wk", HUNGRY, 1, 3, weight=2),
    Target("PTX: week of highest ALP", 2, "wk", HUNGRY, 1, 4),
    Target("PTX: calcium given in week 6", 2.4, "g/d", NEEDED),
    Target("transplant 3 mo: FGF23", 73, "ng/L", EVENEPOEL),
    Target("transplant 12 mo: FGF23", 56, "ng/L", EVENEPOEL),
    Target("transplant: lowest phosphate", 1.58, "mg/dL", LONDEN, 1.3, 1.95),
    Target("transplant: day of lowest phosphate", 33, "d", LONDEN, 21, 51),
    Target("transplant 12 mo: phosphate", 3.0, "mg/dL", EVENEPOEL, 2.4, 3.6, weight=2),
    # that laboratory's normal calcium is lower than 9.4 mg/dL: these two weigh little
    Target("transplant 12 mo: calcium", 9.1, "mg/dL", EVENEPOEL, 8.6, 9.6, weight=0.5),
    Target("transplant 12 mo: PTH / CKD of like GFR", 1.55, "-", EVENEPOEL),
    Target("transplant, PTH 334: PTH at 3 mo", 123, "pg/mL", PERRIN, 92, 154, weight=1.5),
    # only its direction is told, and that 14 % are above normal within three months
    Target(
        "transplant, PTH 334: calcium at 3 mo, above before", 0.4, "mg/dL", EARLY_GRAFT, 0.0, 0.8
    ),
    Target("eGFR 53: PTH", 46, "pg/mL", "PMID 24429404", weight=2),
    Target("eGFR 53: calcium", 8.9, "mg/dL", EVENEPOEL, 8.6, 9.2, weight=0.3),
    Target("eGFR 53: phosphate", 3.3, "mg/dL", EVENEPOEL, 2.7, 3.9),
    Target("eGFR 53: FGF23", 42, "pg/mL", "PMID 24429404"),
    Target("eGFR 36: PTH", 46, "pg/mL", BORRELLI, 28, 81, weight=0),
    Target("eGFR 37: PTH", 61, "pg/mL", NHANES),
    Target("eGFR 49: phosphate", 3.5, "mg/dL", MURTAUGH, 3.0, 4.0, weight=0),
    Target("eGFR 50: PTH", 76, "pg/mL", REICHEL),
    Target("eGFR 50: calcitriol", 34, "pg/mL", REICHEL),
    Target("eGFR 30: PTH", 123, "pg/mL", REICHEL),
    Target("eGFR 30: calcitriol", 26, "pg/mL", REICHEL),
    Target("eGFR 27: phosphate", 3.87, "mg/dL", IMPROVE),
    Target("eGFR 25: PTH", 105, "pg/mL", SEEK, recalled=True, weight=0),
    Target("eGFR 15: PTH", 190, "pg/mL", SEEK, recalled=True, weight=0),
    Target("eGFR 7.2: PTH", 280, "pg/mL", DOPPS),
    Target("eGFR 10: calcitriol", 15, "pg/mL", "recalled", recalled=True, weight=0),
    Target("eGFR 18: FGF23", 212, "pg/mL", IRON, 154, 270),
    Target("not dialysed, phosphate 5.1: PTH", 270, "pg/mL", QUNIBI, weight=0),
    Target("not dialysed, phosphate 5.1: calcium", 8.8, "mg/dL", QUNIBI, 8.0, 9.6, weight=0),
    Target("eGFR 20: calcitriol", 20, "pg/mL", "doi:10.1053/j.ajkd.2012.04.014", 9, 31),
    Target("eGFR 20: PTH", 160, "pg/mL", "recalled", recalled=True, weight=0.3),
    Target("eGFR 20: phosphate", 4.3, "mg/dL", "recalled", recalled=True),
    Target("eGFR 20: calcium", 9.2, "mg/dL", "recalled", recalled=True),
    Target("no parathyroids, kidneys healthy, untreated: calcium", 5.3, "mg/dL", PARFITT),
    Target("primary HPT, PTH 106: calcium", 10.9, "mg/dL", ADENOMAS, 10.3, 11.5, weight=2),
    Target("CKD 3-4, diet 1000 mg: calcium balance", 0, "mg/d", "Hill, KI 2013;83:959", -75, 75),
    Target(
        "CKD 3-4, +1500 mg Ca: calcium balance",
        508,
        "mg/d",
        "Hill, KI 2013;83:959: positive",
        100,
        700,
        weight=0.5,
    ),
]
