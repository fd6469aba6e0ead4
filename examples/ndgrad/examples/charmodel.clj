(ns ndgrad.examples.charmodel
  "Trains a character model on a text: from the last 16 characters it predicts the next one.

  The model is an embedding of each character, one hidden layer of tanh, and a softmax over the characters of the
  text. It is trained on the first nine tenths with cross-entropy, minibatches and Adam, all written here with ops of
  ndgrad; the loss on the last tenth is printed beside that of a uniform guess. `bin/run --help` lists the options.

  From the inside out: `logits` and `loss` are the model, `adam` and `train` the optimisation, `generate` the
  sampling; `run` is the command line without the exit."
  (:require
   [clojure.java.io :as io]
   [clojure.string :as str]
   [clojure.tools.cli :as cli]
   [ndgrad.core :as nd]
   [ndgrad.io :as ndio]
   [ndgrad.random :as random])
  (:import
   (java.io File IOException InputStream)
   (java.nio ByteBuffer)
   (java.nio.charset CharacterCodingException StandardCharsets)
   (org.knowm.xchart BitmapEncoder BitmapEncoder$BitmapFormat XYChart)
   (org.knowm.xchart.style XYStyler)
   (org.knowm.xchart.style.markers SeriesMarkers)))

(set! *warn-on-reflection* true)

(def settings
  "What the command line does not change."
  {:context 16            ; characters that the model looks at
   :width 24              ; numbers an embedding has
   :hidden 256
   :batch 128
   :rate 3e-3             ; of Adam at the start; it falls linearly to a hundredth
   :temperature 0.7       ; of the sample
   :sample 500            ; characters in the sample
   :evaluated 20000       ; held-out characters that are predicted, at most
   :shortest 200})        ; characters a text must have

;; ---------------------------------------------------------------------------------------------
;; the text

(defn- fail
  "Throws an error that `run` prints as one line."
  [& words]
  (throw (ex-info (str/join " " words) {::usage true})))

(defn- read-bytes
  "The bytes of the file called `path`; of Clojure's own source for nil."
  ^bytes [path]
  (let [^File file (some-> path io/file)]
    (cond
      (nil? file) nil
      (not (.exists file)) (fail path "does not exist")
      (.isDirectory file) (fail path "is a folder, not a text file")
      (not (.canRead file)) (fail path "cannot be read"))
    (with-open [^InputStream in (io/input-stream (or file (io/resource "clojure/core.clj")))]
      (.readAllBytes in))))

(defn decode
  "The text in `bytes`. An error that names `path` when it is not text in UTF-8, or too short to learn from."
  [path ^bytes bytes]
  (when (zero? (alength bytes))
    (fail path "is empty"))
  (when (some #(= 0 %) bytes)
    (fail path "is not a text file: it has NUL bytes"))
  (let [text (try
               (str (.decode (.newDecoder StandardCharsets/UTF_8) (ByteBuffer/wrap bytes)))
               (catch CharacterCodingException _ (fail path "is not a text file in UTF-8")))]
    (when (< (count text) (:shortest settings))
      (fail path "is too short: it has" (count text) "characters, at least" (:shortest settings)
            "are needed"))
    text))

(defn encode
  "The text as {:vocabulary, the sorted code points, :codes, an Array of the place of each character in it}."
  [^String text]
  (let [points (.toArray (.codePoints text))
        vocabulary (vec (sort (distinct points)))
        place (zipmap vocabulary (range))]
    {:vocabulary vocabulary
     :codes (nd/array (int-array (map place points)))}))

(defn split-codes
  "[training held-out]: the first nine tenths, the rest."
  [codes]
  (let [n (quot (* 9 (nd/size codes)) 10)]
    [(nd/get codes (nd/slice n)) (nd/get codes (nd/slice n nil))]))

(defn windows
  "[inputs targets] for windows of `codes` that start at `starts`: inputs has a row of `context` characters for each,
  targets the character behind it."
  [codes starts context]
  (let [at (nd/+ (nd/unsqueeze starts 1) (nd/arange (inc context)))
        window (nd/get codes at)]
    [(nd/get window :all (nd/slice context)) (nd/get window :all context)]))

;; ---------------------------------------------------------------------------------------------
;; the model

(defn initial-params
  "Random parameters for a vocabulary of `v` characters, as a map of float32 Arrays."
  [v {:keys [context width hidden]}]
  (let [normal (fn [scale shape] (nd/* (random/randn shape {:dtype :float32}) scale))
        inputs (* context width)]
    {:embedding (normal 1.0 [v width])
     :hidden-weight (normal (/ (Math/sqrt inputs)) [inputs hidden])
     :hidden-bias (nd/zeros [hidden] {:dtype :float32})
     :output-weight (normal (/ (Math/sqrt hidden)) [hidden v])
     :output-bias (nd/zeros [v] {:dtype :float32})}))

(defn logits
  "Unnormalised log-probabilities of the next character, a row for each row of `inputs`."
  [{:keys [embedding hidden-weight hidden-bias output-weight output-bias]} inputs]
  (let [x (nd/flatten (nd/embedding embedding inputs) {:start 1})
        h (nd/tanh (nd/+ (nd/matmul x hidden-weight) hidden-bias))]
    (nd/+ (nd/matmul h output-weight) output-bias)))

(defn loss
  "The cross-entropy of `targets`, in nats a character."
  [params inputs targets]
  (let [log-p (nd/log-softmax (logits params inputs) {:axis -1})]
    (nd/neg (nd/mean (nd/take-along-axis log-p (nd/unsqueeze targets 1) {:axis 1})))))

;; ---------------------------------------------------------------------------------------------
;; the optimisation

(defn adam-state
  "The state of Adam before the first step."
  [params]
  {:step 0
   :params params
   :mean (update-vals params nd/zeros-like)
   :square (update-vals params nd/zeros-like)})

(defn adam
  "The state after a step with `grads`, a map like the parameters. Kingma and Ba, Adam (2015), algorithm 1."
  [{:keys [step params mean square]} grads rate]
  (let [t (inc step)
        mean (merge-with #(nd/lerp %1 %2 0.1) mean grads)
        square (merge-with #(nd/lerp %1 (nd/square %2) 0.001) square grads)
        rate (/ (* rate (Math/sqrt (- 1 (Math/pow 0.999 t)))) (- 1 (Math/pow 0.9 t)))]
    {:step t
     :mean mean
     :square square
     :params (into {}
                   (for [[k p] params]
                     [k (nd/- p (nd// (nd/* (mean k) rate) (nd/+ (nd/sqrt (square k)) 1e-8)))]))}))

(defn- rate-at
  "The learning rate of a step: it falls linearly."
  [step steps {:keys [rate]}]
  (* rate (max 0.01 (- 1.0 (/ step (double steps))))))

(def ^:private loss-and-gradient (nd/value-and-grad loss))

(defn train
  "Parameters and losses of `steps` steps from `params` on minibatches of `codes`. `(report losses)` is called after
  each step with the vector of losses so far."
  [params codes steps {:keys [context batch] :as settings} report]
  (loop [state (adam-state params), losses []]
    (if (= steps (:step state))
      {:params (:params state), :losses losses}
      (let [[state value] (nd/with-scope
                            (let [starts (random/randint 0 (- (nd/size codes) context) [batch])
                                  [inputs targets] (windows codes starts context)
                                  [value grads] (loss-and-gradient (:params state) inputs targets)]
                              [(adam state grads (rate-at (:step state) steps settings)) (nd/item value)]))
            losses (conj losses value)]
        (report losses)
        (recur state losses)))))

(defn evaluate
  "The loss on `codes`, over at most `:evaluated` characters at even distances."
  [params codes {:keys [context evaluated]}]
  (let [possible (- (nd/size codes) context)
        n (min possible evaluated)
        starts (nd/astype (nd/floor (nd/* (nd/arange n) (/ possible (double n)))) :int64)]
    (/ (reduce (fn [sum part]
                 (let [[inputs targets] (windows codes part context)]
                   (+ sum (* (nd/size part) (nd/item (loss params inputs targets))))))
               0.0
               (nd/split starts 1000))
       n)))

;; ---------------------------------------------------------------------------------------------
;; the sample

(defn- draw
  "A character drawn from the softmax of `row`."
  [row temperature]
  (let [p (nd/softmax (nd// (nd/astype row :float64) temperature) {:axis -1})
        place (nd/item (nd/count-nonzero (nd/<= (nd/cumsum p) (random/rand []))))]
    (min place (dec (nd/size row)))))   ; the sum of p may end a little below 1

(defn generate
  "A vector of `n` codes that the model continues `seed-codes` with, which are a context long."
  [params seed-codes n temperature]
  (loop [context (vec seed-codes), out []]
    (if (= n (count out))
      out
      (let [code (draw (nd/get (logits params (nd/array [context])) 0) temperature)]
        (recur (conj (subvec context 1) code) (conj out code))))))

(defn- as-text [codes vocabulary]
  (let [out (StringBuilder.)]
    (run! #(.appendCodePoint out (int (vocabulary %))) codes)
    (str out)))

;; ---------------------------------------------------------------------------------------------
;; progress

(defn- recent
  "The mean of the last 50 losses: a minibatch's alone jumps about."
  [losses]
  (let [last-ones (subvec losses (max 0 (- (count losses) 50)))]
    (/ (reduce + last-ones) (count last-ones))))

(defn progress-line
  "What is known after the steps that gave `losses`, of `steps`, in `seconds`."
  [losses steps batch seconds]
  (let [done (count losses)
        left (Math/round (double (* (/ seconds done) (- steps done))))]
    (format "step %d/%d  loss %.3f  %.0f characters/s  %d:%02d left"
            done steps (recent losses) (/ (* done batch) seconds) (quot left 60) (rem left 60))))

(defn- terminal? []
  (boolean (some-> (System/console) .isTerminal)))

(defn- reporter
  "A function of the losses so far that prints progress: one line that changes on a terminal, ten lines elsewhere."
  [steps batch on-terminal?]
  (let [start (System/nanoTime)
        printed (volatile! 0)]
    (fn [losses]
      (let [now (System/nanoTime)
            done (count losses)
            line (delay (progress-line losses steps batch (/ (- now start) 1e9)))]
        (cond
          (not on-terminal?)
          (when (or (= done steps) (zero? (rem done (max 1 (quot steps 10)))))
            (println @line))

          (or (= done steps) (< 1e8 (- now @printed)))
          (do (vreset! printed now)
              (print (format "\r%-78s" @line))
              (when (= done steps) (newline))))
        (flush)))))

;; ---------------------------------------------------------------------------------------------
;; the files

(defn- smoothed
  "A running mean of the losses."
  [losses]
  (rest (reductions (fn [mean x] (+ (* 0.95 mean) (* 0.05 x))) (first losses) losses)))

(defn loss-chart
  "The loss curve, with the uniform baseline and the held-out loss as level lines."
  ^XYChart [losses baseline held-out]
  (let [steps (mapv double (range 1 (inc (count losses))))
        ends [1.0 (double (count losses))]
        chart (XYChart. 900 500)
        line (fn [^String label xs ys]
               (-> (.addSeries chart label (double-array xs) (double-array ys))
                   (.setMarker SeriesMarkers/NONE)))]
    (.setTitle chart "Character model")
    (.setXAxisTitle chart "step")
    (.setYAxisTitle chart "loss, nats a character")
    (.setYAxisMin ^XYStyler (.getStyler chart) 0.0)
    (line "training, running mean" steps (smoothed losses))
    (line (format "uniform guess %.2f" baseline) ends [baseline baseline])
    (line (format "held-out text %.2f" held-out) ends [held-out held-out])
    chart))

(defn- output-folder
  "The folder called `path`, made if need be."
  ^File [path]
  (let [dir (io/file path)]
    (.mkdirs dir)
    (when-not (and (.isDirectory dir) (.canWrite dir))
      (fail path "cannot be written to"))
    dir))

(defn- write-files
  "Writes loss.png, parameters.npz and sample.txt into `dir`."
  [^File dir {:keys [params losses vocabulary baseline held-out sample]}]
  (System/setProperty "java.awt.headless" "true")
  (BitmapEncoder/saveBitmap (loss-chart losses baseline held-out) (str (io/file dir "loss.png"))
                            BitmapEncoder$BitmapFormat/PNG)
  (ndio/save-npz (io/file dir "parameters.npz")
                 (assoc params :vocabulary (nd/array (int-array vocabulary))))
  (spit (io/file dir "sample.txt") sample))

;; ---------------------------------------------------------------------------------------------
;; the command line

(def ^:private options
  [["-t" "--text FILE" "A text in UTF-8 to learn from (default: the source of clojure.core)"]
   ["-n" "--steps N" "Minibatches to train on"
    :default 2500
    :parse-fn parse-long
    :validate [#(and % (< 0 % 100000000)) "must be a whole number from 1 to 99999999"]]
   ["-s" "--seed N" "Seed of the random numbers: the same gives the same result"
    :default 1
    :parse-fn parse-long
    :validate [some? "must be a whole number"]]
   ["-o" "--out DIR" "The folder to write into" :default "out/charmodel"]
   ["-h" "--help" "Print this"]])

(defn- help [summary]
  (str "Trains a character model on a text; prints its loss and a sample; writes the loss curve\n"
       "(loss.png), the parameters (parameters.npz) and the sample (sample.txt).\n\n"
       "bin/run [options]\n" summary))

(defn- learn
  "Trains on `text`, printing progress; a map of what there is to show and to write."
  [text {:keys [steps seed]} {:keys [context batch temperature sample] :as settings}]
  (let [{:keys [vocabulary codes]} (encode text)
        [training held-out] (split-codes codes)
        baseline (Math/log (count vocabulary))]
    (println (format "%d characters, %d different; %d steps of %d characters"
                     (nd/size codes) (count vocabulary) steps batch))
    (random/manual-seed! seed)
    (let [{:keys [params losses]}
          (train (initial-params (count vocabulary) settings) training steps settings
                 (reporter steps batch (terminal?)))
          start (nd/tolist (nd/get held-out (nd/slice context)))]
      {:params params
       :losses losses
       :vocabulary vocabulary
       :baseline baseline
       :held-out (evaluate params held-out settings)
       :sample (as-text (into start (generate params start sample temperature)) vocabulary)})))

(defmacro ^:private on-one-thread
  "Evaluates `body` with one thread for large ops: matrices this small gain little from a second one, and on a busy machine
  its work is waited for."
  [& body]
  `(let [before# (nd/num-threads)]
     (nd/set-num-threads! 1)
     (try ~@body (finally (nd/set-num-threads! before#)))))

(defn- job [{:keys [text out] :as opts}]
  (let [content (decode text (read-bytes text))
        dir (output-folder out)
        result (on-one-thread (learn content opts settings))]
    (write-files dir result)
    (println (format "loss on held-out text %.3f, uniform guess %.3f"
                     (:held-out result) (:baseline result)))
    (println (str "\n--- sample\n" (:sample result) "\n---\n"))
    (println (str "wrote loss.png, parameters.npz and sample.txt into " dir))
    0))

(defn- refuse
  "Prints an error in one line; the exit status."
  [message]
  (binding [*out* *err*]
    (println (str "charmodel: " (str/replace message #"\s*\R\s*" "; "))))
  2)

(defn run
  "Does what the command line `args` ask for; the exit status: 0, or 2 for what the user can put right."
  [args]
  (let [{opts :options :keys [arguments errors summary]} (cli/parse-opts args options)]
    (cond
      (:help opts) (do (println (help summary)) 0)
      errors (refuse (str/join "; " errors))
      (seq arguments) (refuse (str "unexpected argument " (first arguments) "; see --help"))
      :else (try
              (job opts)
              (catch clojure.lang.ExceptionInfo e
                (if (::usage (ex-data e)) (refuse (ex-message e)) (throw e)))
              (catch IOException e (refuse (str (or (ex-message e) e))))))))

(defn -main [& args]
  (let [status (run args)]
    (shutdown-agents)
    (System/exit status)))
