// The example of the first-run page: 60 of the 344 Palmer penguins.
// Source: Gorman, Williams and Fraser 2014 (PLoS ONE 9(3): e90081), data package palmerpenguins, CC0-1.0.

export const example = {
  name: "penguins-60.csv",
  type: "text/csv",
  text: `species,island,bill_length_mm,bill_depth_mm,flipper_length_mm,body_mass_g,sex,year
Adelie,Torgersen,NA,NA,NA,NA,NA,2007
Adelie,Torgersen,42,20.2,190,4250,NA,2007
Adelie,Torgersen,41.1,17.6,182,3200,female,2007
Adelie,Torgersen,34.6,21.1,198,4400,male,2007
Adelie,Torgersen,36.6,17.8,185,3700,female,2007
Adelie,Torgersen,42.5,20.7,197,4500,male,2007
Adelie,Torgersen,34.4,18.4,184,3325,female,2007
Adelie,Biscoe,35.9,19.2,189,3800,female,2007
Adelie,Biscoe,38.2,18.1,185,3950,male,2007
Adelie,Biscoe,38.8,17.2,180,3800,male,2007
Adelie,Dream,37.2,18.1,178,3900,male,2007
Adelie,Dream,37.6,19.3,181,3300,female,2007
Adelie,Biscoe,34.5,18.1,187,2900,female,2008
Adelie,Biscoe,40.6,18.8,193,3800,male,2008
Adelie,Biscoe,41.3,21.1,195,4400,male,2008
Adelie,Torgersen,36.7,18.8,187,3800,female,2008
Adelie,Dream,39.6,18.1,186,4450,male,2008
Adelie,Biscoe,41,20,203,4725,male,2009
Adelie,Biscoe,38.2,20,190,3900,male,2009
Adelie,Biscoe,38.1,17,181,3175,female,2009
Adelie,Biscoe,45.6,20.3,191,4600,male,2009
Adelie,Torgersen,44.1,18,210,4000,male,2009
Adelie,Dream,36.8,18.5,193,3500,female,2009
Adelie,Dream,40.2,20.1,200,3975,male,2009
Adelie,Dream,36,17.8,195,3450,female,2009
Adelie,Dream,37.8,18.1,193,3750,male,2009
Gentoo,Biscoe,46.7,15.3,219,5200,male,2007
Gentoo,Biscoe,43.3,13.4,209,4400,female,2007
Gentoo,Biscoe,45.5,13.7,214,4650,female,2007
Gentoo,Biscoe,48.4,14.6,213,5850,male,2007
Gentoo,Biscoe,42.9,13.1,215,5000,female,2007
Gentoo,Biscoe,44.5,14.3,216,4100,NA,2007
Gentoo,Biscoe,42.7,13.7,208,3950,female,2008
Gentoo,Biscoe,50.5,15.9,225,5400,male,2008
Gentoo,Biscoe,46.5,14.4,217,4900,female,2008
Gentoo,Biscoe,50.4,15.3,224,5550,male,2008
Gentoo,Biscoe,54.3,15.7,231,5650,male,2008
Gentoo,Biscoe,43.5,14.2,220,4700,female,2008
Gentoo,Biscoe,47.7,15,216,4750,female,2008
Gentoo,Biscoe,48.2,15.6,221,5100,male,2008
Gentoo,Biscoe,46.5,14.8,217,5200,female,2008
Gentoo,Biscoe,46.4,15,216,4700,female,2008
Gentoo,Biscoe,45.2,16.4,223,5950,male,2008
Gentoo,Biscoe,52.5,15.6,221,5450,male,2009
Gentoo,Biscoe,51.3,14.2,218,5300,male,2009
Gentoo,Biscoe,52.2,17.1,228,5400,male,2009
Gentoo,Biscoe,51.1,16.5,225,5250,male,2009
Chinstrap,Dream,45.2,17.8,198,3950,female,2007
Chinstrap,Dream,51.3,18.2,197,3750,male,2007
Chinstrap,Dream,51.3,19.9,198,3700,male,2007
Chinstrap,Dream,51.7,20.3,194,3775,male,2007
Chinstrap,Dream,58,17.8,181,3700,female,2007
Chinstrap,Dream,49.2,18.2,195,4400,male,2007
Chinstrap,Dream,46.4,17.8,191,3700,female,2008
Chinstrap,Dream,49.7,18.6,195,3600,male,2008
Chinstrap,Dream,47.5,16.8,199,3900,female,2008
Chinstrap,Dream,47.6,18.3,195,3850,female,2008
Chinstrap,Dream,52,20.7,210,4800,male,2008
Chinstrap,Dream,45.5,17,196,3500,female,2008
Chinstrap,Dream,45.7,17.3,193,3600,female,2009
`,
};
