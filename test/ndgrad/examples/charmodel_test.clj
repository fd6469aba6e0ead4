(ns ndgrad.examples.charmodel-test
  "The main job: what it prints and writes, that it learns, and how it refuses."
  (:require
   [clojure.java.io :as io]
   [clojure.java.shell :as shell]
   [clojure.string :as str]
   [clojure.test :refer [deftest is testing use-fixtures]]
   [ndgrad.core :as nd]
   [ndgrad.examples.charmodel :as charmodel]
   [ndgrad.io :as ndio]
   [ndgrad.random :as random]
   [ndgrad.test-support :refer [skip]])
  (:import
   (java.io File StringWriter)
   (java.nio.file Files)
   (java.nio.file.attribute FileAttribute)
   (javax.imageio ImageIO)))

(set! *warn-on-reflection* true)

(def ^:dynamic ^:private ^File *dir* nil)

(defn- with-scratch-folder [f]
  (let [dir (.toFile (Files/createTempDirectory "ndgrad" (make-array FileAttribute 0)))]
    (try
      (binding [*dir* dir] (f))
      (finally (run! #(.delete ^File %) (reverse (file-seq dir)))))))

(use-fixtures :each with-scratch-folder)

(defn- file ^File [file-name] (io/file *dir* file-name))

(defn- write
  "A file called `file-name` with `content`, a string or a seq of bytes; its path."
  [file-name content]
  (with-open [out (io/output-stream (file file-name))]
    (.write out (if (string? content)
                  (.getBytes ^String content "UTF-8")
                  (byte-array (map unchecked-byte content)))))
  (str (file file-name)))

(def ^:private verse
  (str/join "\n" (repeat 20 "A rose is a rose is a rose, said λ.")))

(defn- run
  "The job with `args`: {:status :out :err}."
  [& args]
  (let [out (StringWriter.), err (StringWriter.)
        status (binding [*out* out, *err* err] (charmodel/run args))]
    {:status status, :out (str out), :err (str err)}))

(deftest trains-and-writes
  (let [{:keys [status out err]} (run "--text" (write "verse.txt" verse) "--steps" "20"
                                   "--out" (str (file "made/here")))
        v (count (distinct verse))]
    (is (= [0 ""] [status err]))
    (testing "what it prints"
      (is (str/includes? out (format "%d characters, %d different" (count verse) v)))
      (is (= (range 2 21 2)
             (map #(parse-long (second %)) (re-seq #"step (\d+)/20  loss \d+\.\d{3}  \d+ characters/s  \d+:\d\d left"
                                                   out))))
      (is (str/includes? out (format "uniform guess %.3f" (Math/log v))))
      (is (re-find #"--- sample\n(?s:.+)\n---" out))
      (is (str/includes? out (str "into " (file "made/here")))))
    (testing "the picture"
      (let [image (ImageIO/read (file "made/here/loss.png"))]
        (is (= [900 500] [(.getWidth image) (.getHeight image)]))))
    (testing "the parameters"
      (let [saved (ndio/load-npz (file "made/here/parameters.npz"))]
        (is (= {:embedding [v 24], :hidden-weight [(* 16 24) 256], :hidden-bias [256]
                :output-weight [256 v], :output-bias [v], :vocabulary [v]}
               (update-vals saved nd/shape)))
        (is (= #{:float32} (set (map nd/dtype (vals (dissoc saved :vocabulary))))))
        (is (= (sort (distinct (map int verse))) (nd/tolist (:vocabulary saved))))))
    (testing "the sample"
      (is (= (+ 16 500) (count (slurp (file "made/here/sample.txt"))))))))

(deftest a-seed-gives-the-same-result
  (let [text (write "verse.txt" verse)
        parameters (fn [seed folder]
                     (run "-t" text "-n" "3" "-s" seed "-o" (str (file folder)))
                     [(update-vals (ndio/load-npz (file (str folder "/parameters.npz"))) nd/tolist)
                      (slurp (file (str folder "/sample.txt")))])
        first-run (parameters "7" "a")]
    (is (= first-run (parameters "7" "b")))
    (is (not= first-run (parameters "8" "c")))))

(deftest learns
  (random/manual-seed! 1)
  (let [settings (assoc charmodel/settings :context 4 :width 4 :hidden 16 :batch 32)
        {:keys [codes vocabulary]} (charmodel/encode verse)
        [training held-out] (charmodel/split-codes codes)
        reported (atom [])
        {:keys [params losses]}
        (charmodel/train (charmodel/initial-params (count vocabulary) settings) training 200 settings
                         #(swap! reported conj (count %)))]
    (is (= (range 1 201) @reported))
    (is (= 200 (count losses)))
    (is (< 0.5 (/ (first losses) (Math/log (count vocabulary))) 2))
    (is (< (charmodel/evaluate params held-out settings) (* 0.4 (Math/log (count vocabulary)))))
    (is (= (nd/tolist (nd/get codes (nd/slice 4 24)))
           (charmodel/generate params (nd/tolist (nd/get codes (nd/slice 0 4))) 20 0.01))
        "at a low temperature it goes on as the text does")))

(deftest windows-are-inputs-and-targets
  (let [[inputs targets] (charmodel/windows (nd/array [10 11 12 13 14]) (nd/array [0 2]) 2)]
    (is (= [[10 11] [12 13]] (nd/tolist inputs)))
    (is (= [12 14] (nd/tolist targets)))))

(deftest adam-takes-the-step-of-the-paper
  (let [state (charmodel/adam-state {:w (nd/array [1.0 2.0])})
        after (charmodel/adam state {:w (nd/array [0.5 -4.0])} 0.1)]
    (is (nd/allclose (:w (:params after)) [0.9 2.1] {:atol 1e-6})
        "the first step is the rate in the direction of the sign")
    (is (= 1 (:step after)))))

(deftest progress
  (is (= "step 50/200  loss 2.000  1280 characters/s  0:30 left"
         (charmodel/progress-line (vec (repeat 50 2.0)) 200 256 10.0)))
  (let [out (with-out-str
              (let [report (@#'charmodel/reporter 3 8 true)]
                (run! #(report (vec (repeat % 1.0))) [1 2 3])))]
    (is (str/starts-with? out "\rstep 1/3"))
    (is (str/includes? out "\rstep 3/3"))
    (is (= 1 (count (filter #{\newline} out))) "one line that changes")))

(deftest refuses-in-one-line
  (let [good (write "verse.txt" verse)]
    (doseq [[args pattern]
            {["--colour"] #"Unknown option: \"--colour\""
             ["--steps" "many"] #"--steps many.*whole number"
             ["--steps" "0"] #"from 1"
             ["--steps" "-3"] #"from 1"
             ["--steps" "1.5"] #"whole number"
             ["--steps"] #"Missing required argument"
             ["--seed" "x"] #"whole number"
             ["extra"] #"unexpected argument extra"
             ["--text" (str (file "none.txt"))] #"none.txt does not exist"
             ["--text" (str *dir*)] #"is a folder"
             ["--text" (write "empty.txt" "")] #"is empty"
             ["--text" (write "short.txt" "too short")] #"too short.*9 characters"
             ["--text" (write "nul.bin" (concat (map int verse) [0]))] #"not a text file.*NUL"
             ["--text" (write "latin.txt" (concat (map int (repeat 300 \a)) [0xe9 0x20]))] #"not a text file in UTF-8"
             ["--text" good "--out" good] #"verse.txt cannot be written to"}
            :let [{:keys [status out err]} (apply run args)]]
      (testing (pr-str args)
        (is (= [2 ""] [status out]))
        (is (re-find #"\Acharmodel: [^\n]+\n\z" err))
        (is (re-find pattern err))))))

(deftest helps
  (let [{:keys [status out err]} (run "--help")]
    (is (= [0 ""] [status err]))
    (doseq [option ["--text FILE" "--steps N" "--seed N" "--out DIR" "--help"]]
      (is (str/includes? out option)))))

(deftest exits-with-the-status
  (if (str/starts-with? (System/getProperty "os.name") "Windows")
    (skip "bin/run is a shell script")
    (let [root (-> (io/resource "ndgrad/test_main.clj") io/file .getParentFile .getParentFile .getParentFile)
          {:keys [exit out err]} (shell/sh (str (io/file root "bin" "run")) "--text" "none.txt" :dir *dir*)]
      (is (= [2 ""] [exit out]))
      (is (= "charmodel: none.txt does not exist" (last (str/split-lines err)))))))
