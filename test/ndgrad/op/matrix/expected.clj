(ns ndgrad.op.matrix.expected
  "What an oracle says about every case: written by bin/oracle from the cases that `-main` dumps,
  read by the op matrix."
  (:require
   [clojure.java.io :as io]
   [clojure.string :as str]
   [ndgrad.op.matrix.samples :as samples])
  (:import
   (java.security MessageDigest)
   (java.util HexFormat)
   (ndgrad DType)
   (ndgrad.autograd Tensor)
   (ndgrad.op.matrix.samples Arr Slice)
   (ndgrad.op.spec Nested Op Param)))

(set! *warn-on-reflection* true)

(def without-oracle
  "Ops that no expression of NumPy or PyTorch can stand for, and why: name -> reason."
  {})

;; ---- writing ----------------------------------------------------------------------------------

(declare json)

(defn- json-number [^double d]
  (if (or (Double/isNaN d) (Double/isInfinite d)) (str "\"" d "\"") (str d)))

(defn- json-pairs [pairs]
  (str "{" (str/join "," (for [[k v] pairs] (str (json k) ":" (json v)))) "}"))

(defn- json-array [^Arr a]
  (str "{\"array\":[" (json (:dtype a)) "," (json (:shape a)) ",["
       (str/join "," (map #(if (number? %) (json-number (double %)) (str %)) (:elements a))) "]]}"))

(defn- json [v]
  (cond
    (nil? v) "null"
    (instance? Arr v) (json-array v)
    (instance? Slice v) (str "{\"slice\":" (json ((juxt :start :stop :step) v)) "}")
    (instance? Tensor v) (json (Nested/item v))
    (instance? DType v) (json (str v))
    (instance? int/1 v) (json (vec v))
    (keyword? v) (json-pairs [["word" (name v)]])
    (string? v) (str "\"" (str/escape v {\" "\\\"" \\ "\\\\"}) "\"")
    (and (float? v) (or (Double/isNaN v) (Double/isInfinite v))) (json-pairs [["number" (str v)]])
    (sequential? v) (str "[" (str/join "," (map json v)) "]")
    :else (str v)))

(defn- fallback [^Param p]
  (let [v (.fallback p)]
    (if (and (= :axes (samples/kind p)) (= 1 (count v))) (first v) v)))

(defn- arguments
  "Every parameter's name and argument."
  [c]
  (let [given (into {} (map (fn [[^Param p v]] [(.name p) v])) (:named c))]
    (for [^Param p (samples/params (:op c))]
      [(.name p)
       (let [v (get given (.name p) (when-not (.required p) (fallback p)))]
         (if (keyword? v) (if (#{:any} (samples/kind p)) v (name v)) v))])))

(defn- case-json [c]
  (str "{\"id\":" (json (:id c)) ",\"sample\":" (json (:line c))
       ",\"floating\":" (str/starts-with? (:variant c) "float64")
       ",\"arguments\":" (json-pairs (arguments c)) "}"))

(defn- content [^Op op]
  (str "\"oracle\":" (json (.oracle (.spec op)))
       ",\"gives\":" (json (str/lower-case (str (.gives (.spec op)))))
       ",\"kinds\":" (json-pairs (for [^Param p (samples/params op)]
                                   [(.name p) (name (samples/kind p))]))
       ",\"cases\":[" (str/join ",\n" (map case-json (samples/cases op))) "]"))

(defn- digest [^String s]
  (subs (.formatHex (HexFormat/of)
                    (.digest (MessageDigest/getInstance "SHA-256") (.getBytes s "UTF-8")))
        0 16))

(defn fingerprint
  "A hash of the oracle and the cases of an op."
  [op]
  (digest (content op)))

(defn- op-json [op]
  (let [body (content op)]
    (str "{\"name\":" (json (samples/op-name op)) ",\"hash\":" (json (digest body)) "," body "}")))

(defn -main
  "Writes the cases of all ops as JSON into a file."
  [path]
  (let [compared (remove #(contains? without-oracle (samples/op-name %)) (samples/ops))
        families (group-by samples/family compared)]
    (spit path
          (str "[" (str/join ",\n" (for [[family ops] (sort families)]
                                     (str "{\"family\":" (json family) ",\"ops\":["
                                          (str/join ",\n" (map op-json ops)) "]}")))
               "]\n"))
    (shutdown-agents)))

;; ---- reading ----------------------------------------------------------------------------------

(defn- element [^String dtype ^String text]
  (case dtype
    ("float64" "float16") (Double/parseDouble text)
    "float32" (Float/parseFloat text)
    "bool" (= text "1")
    (Long/parseLong text)))

(defn- array [text]
  (let [[dtype shape & elements] (str/split text #" ")]
    {:dtype dtype
     :shape (mapv parse-long (re-seq #"\d+" shape))
     :elements (mapv #(element dtype %) elements)}))

(defn- result [^String text]
  (cond
    (str/starts-with? text "error") {:error (subs text 6)}
    (str/starts-with? text "host") {:host (= "1" (subs text 5))}
    (str/starts-with? text "list")
    {:arrays (mapv array (remove str/blank? (str/split (str/trim (subs text 4)) #" \| ")))}
    :else {:arrays [(array text)]}))

(defn- read-family [family]
  (when-let [file (io/resource (str "ndgrad/op/matrix/expected/" family ".txt"))]
    (loop [[^String line & more] (remove #(str/starts-with? % "#") (str/split-lines (slurp file)))
           op nil
           all {}]
      (cond
        (nil? line) all
        (str/starts-with? line "op ")
        (let [[_ op-name fingerprint] (str/split line #" ")]
          (recur more op-name (assoc all op-name {:fingerprint fingerprint, :cases {}})))
        :else
        (let [[id text] (str/split line #"\t" 2)]
          (recur more op (assoc-in all [op :cases id] (delay (result text)))))))))

(def ^:private families (atom {}))

(defn of
  "What the oracle says about an op: {:fingerprint, :cases {id result}}, nil when nothing is there.
  A result is {:arrays [{:dtype :shape :elements}]}, {:host truth} or {:error text}."
  [op]
  (when-let [family (samples/family op)]
    (when-not (contains? @families family)
      (swap! families assoc family (read-family family)))
    (get-in @families [family (samples/op-name op)])))
